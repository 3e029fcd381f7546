"""Resource handlers for SQS queues, SNS topics, their resource policies, and SNS subscriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localstack.deployers.resources.base import (
    Aws,
    Create,
    RegisterRemoval,
    Removal,
    ResourceResult,
    non_empty,
    tag_list,
)

if TYPE_CHECKING:
    from localstack.deployers.resources.inputs import Inputs


def queue(name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates an SQS queue. Args: see `ResourceHandler`."""
    queue_name = aws.physical_name(name, inputs.get("name"))
    request = non_empty(
        Attributes=_attributes(
            inputs,
            ContentBasedDeduplication="contentBasedDeduplication",
            DeduplicationScope="deduplicationScope",
            DelaySeconds="delaySeconds",
            FifoQueue="fifoQueue",
            FifoThroughputLimit="fifoThroughputLimit",
            KmsDataKeyReusePeriodSeconds="kmsDataKeyReusePeriodSeconds",
            KmsMasterKeyId="kmsMasterKeyId",
            MaximumMessageSize="maxMessageSize",
            MessageRetentionPeriod="messageRetentionSeconds",
            Policy="policy",
            ReceiveMessageWaitTimeSeconds="receiveWaitTimeSeconds",
            RedriveAllowPolicy="redriveAllowPolicy",
            RedrivePolicy="redrivePolicy",
            SqsManagedSseEnabled="sqsManagedSseEnabled",
            VisibilityTimeout="visibilityTimeoutSeconds",
        ),
        tags=inputs.mapping("tags"),
    )
    sqs = aws.client("sqs")

    def create(register_removal: RegisterRemoval) -> ResourceResult:
        url = sqs.create_queue(QueueName=queue_name, **request)["QueueUrl"]
        register_removal(
            Removal(
                delete=lambda: sqs.delete_queue(QueueUrl=url),
                exists=lambda: sqs.get_queue_url(QueueName=queue_name),
            )
        )
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        return ResourceResult(id=url, state={"name": queue_name, "url": url, "arn": attributes["QueueArn"]})

    return create


def queue_policy(_name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates the resource policy of an SQS queue. Args: see `ResourceHandler`."""
    url, policy = inputs.require("queueUrl"), inputs.require("policy")
    sqs = aws.client("sqs")

    def create(register_removal: RegisterRemoval) -> ResourceResult:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        register_removal(Removal(delete=lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})))
        return ResourceResult(id=url, state={})

    return create


def topic(name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates an SNS topic. Args: see `ResourceHandler`."""
    topic_name = aws.physical_name(name, inputs.get("name"))
    request = non_empty(
        Attributes=_attributes(
            inputs,
            ContentBasedDeduplication="contentBasedDeduplication",
            DeliveryPolicy="deliveryPolicy",
            DisplayName="displayName",
            FifoTopic="fifoTopic",
            KmsMasterKeyId="kmsMasterKeyId",
            Policy="policy",
            SignatureVersion="signatureVersion",
            TracingConfig="tracingConfig",
        ),
        Tags=tag_list(inputs.mapping("tags")),
    )
    sns = aws.client("sns")

    def create(register_removal: RegisterRemoval) -> ResourceResult:
        arn = sns.create_topic(Name=topic_name, **request)["TopicArn"]
        register_removal(
            Removal(
                delete=lambda: sns.delete_topic(TopicArn=arn),
                exists=lambda: sns.get_topic_attributes(TopicArn=arn),
            )
        )
        owner = sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Owner"]
        return ResourceResult(id=arn, state={"name": topic_name, "arn": arn, "owner": owner})

    return create


def topic_policy(_name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates the resource policy of an SNS topic. Args: see `ResourceHandler`."""
    arn, policy = inputs.require("arn"), inputs.require("policy")
    sns = aws.client("sns")

    # Register no removal of a topic's resource policy, because the policy is deleted with the topic.
    def create(_register_removal: RegisterRemoval) -> ResourceResult:
        sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
        return ResourceResult(id=arn, state={})

    return create


def topic_subscription(_name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates a subscription to an SNS topic. Args: see `ResourceHandler`."""
    request = {
        "TopicArn": inputs.require("topic"),
        "Protocol": inputs.require("protocol"),
        "Endpoint": inputs.require("endpoint"),
        "Attributes": _attributes(
            inputs,
            DeliveryPolicy="deliveryPolicy",
            FilterPolicy="filterPolicy",
            FilterPolicyScope="filterPolicyScope",
            RawMessageDelivery="rawMessageDelivery",
            RedrivePolicy="redrivePolicy",
            SubscriptionRoleArn="subscriptionRoleArn",
        ),
    }
    sns = aws.client("sns")

    def create(register_removal: RegisterRemoval) -> ResourceResult:
        arn = sns.subscribe(**request, ReturnSubscriptionArn=True)["SubscriptionArn"]
        pending = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["PendingConfirmation"] == "true"
        # An unconfirmed subscription cannot be deleted; SNS deletes it after some days.
        if not pending:
            register_removal(Removal(delete=lambda: sns.unsubscribe(SubscriptionArn=arn)))
        return ResourceResult(id=arn, state={"arn": arn, "pendingConfirmation": pending})

    return create


def _attributes(inputs: Inputs, **names: str) -> dict[str, str]:
    """Return the selected inputs as strings, because SQS and SNS accept only strings as attributes."""
    return {name: _text(value) for name, value in inputs.select(**names).items()}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
