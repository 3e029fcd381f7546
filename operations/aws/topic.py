"""The AWS call that publishes a message to an SNS topic."""

from __future__ import annotations

from typing import Any

from operations.aws.errors import translated_errors


class TopicCalls:
    """The AWS call of SNS. `Aws` creates the client."""

    _sns: Any

    def publish(self, topic_arn: str, subject: str, message: str) -> None:
        """Publish a message to an SNS topic.

        Args:
            topic_arn: ARN of the topic, which is in the region of the clients.
            subject: at most 99 printable ASCII characters.
            message: text of at most 256 KB.
        """
        action = f"publish to {topic_arn}"
        with translated_errors(action, not_found="check the ARN in --notify", permission="sns:Publish"):
            self._sns.publish(TopicArn=topic_arn, Subject=subject, Message=message)
