"""Sample inputs for each resource type of the in-process deployer, which contain every supported input.

Some inputs exclude each other, so that a resource type may have several samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pulumi

from localstack.deployers.resources import RESOURCE_HANDLERS
from localstack.deployers.resources.inputs import Inputs
from tests.unit.harness.fake_aws import FakeAws, fake_account

if TYPE_CHECKING:
    from localstack.deployers.resources.base import Removal, ResourceResult

CODE = pulumi.AssetArchive({"main.py": pulumi.StringAsset("def handler(event, context): ...")})
TAGS = {"Project": "tapstack", "Owner": "platform"}
DIMENSIONS = {"TableName": "objects", "Operation": "Query"}


def inputs(texts: str = "", *, numbers: str = "", flags: str = "", **others: Any) -> dict[str, Any]:
    """Return sample inputs of a Pulumi resource.

    Args:
        texts: names of string inputs, separated by spaces. The value of each input is its name.
        numbers: names of number inputs, separated by spaces. Their values are 1, 2, ….
        flags: names of Boolean inputs, separated by spaces. Their value is True.
        others: names and values of further inputs.
    """
    return {
        **{name: name for name in texts.split()},
        **{name: number for number, name in enumerate(numbers.split(), 1)},
        **dict.fromkeys(flags.split(), True),
        **others,
    }


LIFECYCLE = inputs(
    "id status",
    abortIncompleteMultipartUpload=inputs(numbers="daysAfterInitiation"),
    noncurrentVersionExpiration=inputs(numbers="noncurrentDays newerNoncurrentVersions"),
    noncurrentVersionTransitions=[inputs("storageClass", numbers="noncurrentDays newerNoncurrentVersions")],
)
SIZES = "objectSizeGreaterThan objectSizeLessThan"
DATE = "2027-01-01T00:00:00Z"

SAMPLES: Mapping[str, tuple[dict[str, Any], ...]] = {
    "aws:cloudwatch/dashboard:Dashboard": (inputs("dashboardName dashboardBody"),),
    "aws:cloudwatch/eventRule:EventRule": (
        inputs("name description eventBusName eventPattern roleArn scheduleExpression state", tags=TAGS),
    ),
    "aws:cloudwatch/eventTarget:EventTarget": (
        inputs(
            "rule arn eventBusName input inputPath roleArn targetId",
            retryPolicy=inputs(maximumEventAgeInSeconds=60, maximumRetryAttempts=0),
            deadLetterConfig=inputs("arn"),
        ),
    ),
    "aws:cloudwatch/logGroup:LogGroup": (inputs("name kmsKeyId logGroupClass", numbers="retentionInDays", tags=TAGS),),
    "aws:cloudwatch/metricAlarm:MetricAlarm": (
        inputs(
            "name alarmDescription comparisonOperator evaluateLowSampleCountPercentiles extendedStatistic metricName "
            "namespace treatMissingData unit",
            numbers="datapointsToAlarm evaluationPeriods period",
            threshold=0,
            actionsEnabled=False,
            alarmActions=["arn:aws:sns:::alarms"],
            insufficientDataActions=["arn:aws:sns:::insufficient"],
            okActions=["arn:aws:sns:::ok"],
            dimensions=DIMENSIONS,
            tags=TAGS,
        ),
        inputs("name comparisonOperator statistic", numbers="evaluationPeriods"),
        inputs(
            "name comparisonOperator thresholdMetricId",
            numbers="evaluationPeriods",
            metricQueries=[
                inputs("id expression label accountId", numbers="period", returnData=False),
                inputs("id", metric=inputs("metricName namespace stat unit", numbers="period", dimensions=DIMENSIONS)),
            ],
        ),
    ),
    "aws:dynamodb/table:Table": (
        inputs(
            "name billingMode hashKey rangeKey tableClass streamViewType",
            numbers="readCapacity writeCapacity",
            flags="deletionProtectionEnabled streamEnabled",
            attributes=[{"name": "id", "type": "S"}, {"name": "version", "type": "N"}],
            globalSecondaryIndexes=[
                inputs(
                    "name projectionType",
                    numbers="readCapacity writeCapacity",
                    keySchemas=[inputs("attributeName keyType"), inputs("attributeName keyType")],
                    nonKeyAttributes=["size"],
                ),
                inputs("name hashKey rangeKey projectionType"),
            ],
            localSecondaryIndexes=[inputs("name rangeKey projectionType", nonKeyAttributes=["etag"])],
            pointInTimeRecovery=inputs(numbers="recoveryPeriodInDays", flags="enabled"),
            serverSideEncryption=inputs("kmsKeyArn", flags="enabled"),
            ttl=inputs("attributeName", flags="enabled"),
            tags=TAGS,
        ),
        inputs(
            "name billingMode hashKey",
            attributes=[{"name": "id", "type": "S"}],
            deletionProtectionEnabled=False,
            serverSideEncryption=inputs(flags="enabled"),
            onDemandThroughput=inputs(numbers="maxReadRequestUnits maxWriteRequestUnits"),
            globalSecondaryIndexes=[
                inputs(
                    "name hashKey projectionType",
                    onDemandThroughput=inputs(numbers="maxReadRequestUnits maxWriteRequestUnits"),
                )
            ],
        ),
    ),
    "aws:iam/role:Role": (
        inputs(
            "name assumeRolePolicy description path",
            maxSessionDuration=3600,
            permissionsBoundary="arn:aws:iam::aws:policy/Boundary",
            tags=TAGS,
        ),
    ),
    "aws:iam/rolePolicy:RolePolicy": (inputs("name role policy"),),
    "aws:lambda/eventSourceMapping:EventSourceMapping": (
        inputs(
            "eventSourceArn functionName startingPosition",
            numbers="batchSize maximumBatchingWindowInSeconds parallelizationFactor",
            flags="bisectBatchOnFunctionError",
            maximumRecordAgeInSeconds=21600,
            maximumRetryAttempts=0,
            functionResponseTypes=["ReportBatchItemFailures"],
            destinationConfig={"onFailure": {"destinationArn": "arn:aws:sqs:::failed"}},
            filterCriteria={"filters": [inputs("pattern")]},
            tags=TAGS,
        ),
        inputs("functionName eventSourceArn"),
    ),
    "aws:lambda/function:Function": (
        inputs(
            "name description handler kmsKeyArn packageType role runtime",
            numbers="reservedConcurrentExecutions timeout",
            flags="publish",
            code=CODE,
            architectures=["arm64"],
            deadLetterConfig=inputs("targetArn"),
            environment={"variables": {"TAP_TABLE_NAME": "objects"}},
            ephemeralStorage={"size": 1024},
            layers=["arn:aws:lambda:::layer:one:1"],
            loggingConfig=inputs("logFormat logGroup applicationLogLevel systemLogLevel"),
            memorySize=512,
            tags=TAGS,
            tracingConfig=inputs("mode"),
        ),
    ),
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": (
        inputs(
            "functionName qualifier",
            maximumEventAgeInSeconds=21600,
            maximumRetryAttempts=0,
            destinationConfig={
                "onFailure": {"destination": "arn:aws:sqs:::failed"},
                "onSuccess": {"destination": "arn:aws:sqs:::succeeded"},
            },
        ),
    ),
    "aws:lambda/permission:Permission": (
        inputs(
            "statementId action function qualifier principal principalOrgId sourceAccount sourceArn eventSourceToken "
            "functionUrlAuthType"
        ),
    ),
    "aws:s3/bucket:Bucket": (inputs("bucket", flags="forceDestroy objectLockEnabled", tags=TAGS),),
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": (
        inputs(
            "bucket expectedBucketOwner",
            corsRules=[
                inputs(
                    "id",
                    numbers="maxAgeSeconds",
                    allowedHeaders=["*"],
                    allowedMethods=["PUT"],
                    allowedOrigins=["https://example.com"],
                    exposeHeaders=["ETag"],
                )
            ],
        ),
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": (
        inputs(
            "bucket transitionDefaultMinimumObjectSize",
            rules=[
                inputs("prefix", expiration=inputs(date=DATE, flags="expiredObjectDeleteMarker"), **LIFECYCLE),
                inputs(
                    filter=inputs("prefix", numbers=SIZES),
                    expiration=inputs(numbers="days"),
                    transitions=[inputs("storageClass", numbers="days")],
                    **LIFECYCLE,
                ),
                inputs(filter={"tag": inputs("key value")}, **LIFECYCLE),
                inputs(filter={}, **LIFECYCLE),
                inputs(
                    filter={"and": inputs("prefix", numbers=SIZES, tags=TAGS)},
                    transitions=[inputs("storageClass", date=DATE)],
                    **LIFECYCLE,
                ),
            ],
        ),
    ),
    "aws:s3/bucketLogging:BucketLogging": (
        inputs(
            "bucket targetBucket targetPrefix",
            targetObjectKeyFormat={"partitionedPrefix": inputs("partitionDateSource")},
        ),
        inputs("bucket targetBucket", targetPrefix="", targetObjectKeyFormat={"simplePrefix": {}}),
    ),
    "aws:s3/inventory:Inventory": (
        inputs(
            "bucket name includedObjectVersions",
            optionalFields=["Size"],
            enabled=False,
            filter=inputs("prefix"),
            schedule=inputs("frequency"),
            destination={"bucket": inputs("bucketArn format accountId prefix", encryption={"sseKms": inputs("keyId")})},
        ),
        inputs(
            "bucket name includedObjectVersions",
            schedule=inputs("frequency"),
            destination={"bucket": inputs("bucketArn format", encryption={"sseS3": {}})},
        ),
    ),
    "aws:s3/bucketNotification:BucketNotification": (
        inputs(
            "bucket",
            flags="eventbridge",
            lambdaFunctions=[inputs("id lambdaFunctionArn filterPrefix filterSuffix", events=["s3:ObjectCreated:*"])],
            queues=[inputs("id queueArn filterPrefix", events=["s3:ObjectRemoved:*"])],
            topics=[inputs("id topicArn filterSuffix", events=["s3:ObjectRestore:*"])],
        ),
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": (inputs("bucket", rule=inputs("objectOwnership")),),
    "aws:s3/bucketPolicy:BucketPolicy": (inputs("bucket policy"),),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": (
        inputs("bucket", flags="blockPublicAcls blockPublicPolicy ignorePublicAcls restrictPublicBuckets"),
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        inputs(
            "bucket",
            rules=[
                inputs(
                    flags="bucketKeyEnabled",
                    applyServerSideEncryptionByDefault=inputs("sseAlgorithm kmsMasterKeyId"),
                    blockedEncryptionTypes=["SSE-C"],
                )
            ],
        ),
    ),
    "aws:s3/bucketVersioning:BucketVersioning": (inputs("bucket", versioningConfiguration=inputs("status mfaDelete")),),
    "aws:sns/topic:Topic": (
        inputs(
            "name deliveryPolicy displayName kmsMasterKeyId policy tracingConfig",
            numbers="signatureVersion",
            flags="contentBasedDeduplication fifoTopic",
            tags=TAGS,
        ),
    ),
    "aws:sns/topicPolicy:TopicPolicy": (inputs("arn policy"),),
    "aws:sns/topicSubscription:TopicSubscription": (
        inputs(
            "topic protocol endpoint deliveryPolicy filterPolicy filterPolicyScope redrivePolicy subscriptionRoleArn",
            flags="rawMessageDelivery",
        ),
    ),
    "aws:sqs/queue:Queue": (
        inputs(
            "name deduplicationScope fifoThroughputLimit kmsMasterKeyId policy redriveAllowPolicy redrivePolicy",
            numbers="delaySeconds kmsDataKeyReusePeriodSeconds maxMessageSize messageRetentionSeconds "
            "receiveWaitTimeSeconds visibilityTimeoutSeconds",
            flags="contentBasedDeduplication fifoQueue",
            sqsManagedSseEnabled=False,
            tags=TAGS,
        ),
    ),
    "aws:sqs/queuePolicy:QueuePolicy": (inputs("queueUrl policy"),),
    "aws:athena/workgroup:Workgroup": (
        inputs(
            "name description",
            flags="forceDestroy",
            tags=TAGS,
            configuration=inputs(
                flags="enforceWorkgroupConfiguration publishCloudwatchMetricsEnabled",
                bytesScannedCutoffPerQuery=10_000_000.0,  # Pulumi sends numbers as floating-point numbers
                resultConfiguration=inputs(
                    "outputLocation",
                    expectedBucketOwner="123456789012",
                    encryptionConfiguration={"encryptionOption": "SSE_KMS", "kmsKeyArn": "kmsKeyArn"},
                ),
            ),
        ),
    ),
    "aws:glue/catalogDatabase:CatalogDatabase": (inputs("name description locationUri", tags=TAGS),),
    "aws:glue/catalogTable:CatalogTable": (
        inputs(
            "name databaseName description tableType",
            parameters={"EXTERNAL": "TRUE"},
            storageDescriptor=inputs(
                "location inputFormat outputFormat",
                columns=[inputs("name type comment")],
                serDeInfo=inputs("name serializationLibrary", parameters={"a": "b"}),
            ),
        ),
    ),
    "aws:ssm/parameter:Parameter": (inputs("name description insecureValue tier type", tags=TAGS),),
}


def create(
    type_: str, inputs: dict[str, Any] | None = None, fake: FakeAws | None = None
) -> tuple[ResourceResult, list[Removal], list[str]]:
    """Create a resource with fake AWS clients, and return its result, its removals and its unused inputs.

    Args:
        type_: Pulumi type of the resource.
        inputs: inputs of the resource; None means the first sample of the type.
        fake: recorder of the AWS calls; None means a new one.
    """
    removals: list[Removal] = []
    wrapped = Inputs(SAMPLES[type_][0] if inputs is None else inputs)
    result = RESOURCE_HANDLERS[type_]("logical", wrapped, fake_account(fake or FakeAws()))(removals.append)
    return result, removals, wrapped.unused()
