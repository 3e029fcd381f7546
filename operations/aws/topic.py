"""The AWS calls that check an SNS topic and publish a message to it."""

from __future__ import annotations

from typing import Any

from operations.aws.errors import translated_errors

WRONG_ARN = "check the ARN in --notify"


class TopicCalls:
    """The AWS calls of SNS. `Aws` creates the client."""

    _sns: Any

    def check_topic(self, topic_arn: str) -> None:
        """Check that an SNS topic exists.

        Args:
            topic_arn: ARN of the topic, which is in the region of the clients.
        """
        action, permission = f"read the topic {topic_arn}", "sns:GetTopicAttributes"
        with translated_errors(action, not_found=WRONG_ARN, permission=permission):
            self._sns.get_topic_attributes(TopicArn=topic_arn)

    def publish(self, topic_arn: str, subject: str, message: str) -> None:
        """Publish a message to an SNS topic.

        Args:
            topic_arn: ARN of the topic, which is in the region of the clients.
            subject: at most 99 printable ASCII characters.
            message: text of at most 256 KB.
        """
        action = f"publish to {topic_arn}"
        with translated_errors(action, not_found=WRONG_ARN, permission="sns:Publish"):
            self._sns.publish(TopicArn=topic_arn, Subject=subject, Message=message)
