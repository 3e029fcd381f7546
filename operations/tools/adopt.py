"""The tool `adopt`: examines an existing bucket, and prepares it for indexing.

With --apply, it switches EventBridge on. With --inventory, it adds the stack's inventory configuration.
"""

# ruff: noqa: D102  The class operations.tool.Tool documents the methods.

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from operations.adopt import Adoption, configuration_commands, inverse_command
from operations.errors import OperatorError
from operations.inventory_adoption import InventoryAdoption
from operations.output import columns, count, quoted
from operations.planning import prices
from operations.tool import FINDINGS, OK

if TYPE_CHECKING:
    import argparse

    from operations.aws import Aws
    from operations.output import Progress
    from operations.settings_document import ExpectedSettings
    from operations.target import Target

COST = (
    f"cost: EventBridge charges ${prices.EVENTS.dollars:.2f} per million events, for all events of the bucket "
    f"({prices.EVENTS.source}); `tapstack cost` calculates the cost of the rows. Other rules of the default event bus "
    "that match events of S3 also receive the events of this bucket"
)
DELAY = "the first events arrive about five minutes after EventBridge was switched on: run backfill after this time"
OLD_CLI = (
    "before you use this command, check that your AWS CLI supports {}: otherwise, the command deletes this notification"
)
CONFLICT = "another writer changed the notifications of the bucket during this run"
NOT_VISIBLE = (
    "S3 accepted the change, but does not return it: start adopt again in a minute. If EventBridge is still off, "
    "another writer has replaced the configuration"
)

INVENTORY_OFF = (
    "--inventory: the stack has no location for inventories, because its settings document has no inventory_location. "
    "Run: pulumi config set inventory true && pulumi up"
)
INVENTORY_COST = (
    f"cost: each day, S3 Inventory charges ${prices.INVENTORY_LISTED.dollars} per million object versions in the "
    f"inventory ({prices.INVENTORY_LISTED.source})"
)
INVENTORY_DELAY = "S3 writes the first inventory up to 48 hours after the configuration was added, and then daily"
INVENTORY_DENIED = (
    "S3 cannot write inventories of this bucket until it is an entry of existingBuckets in the deployed stack, because "
    "the policy of the log bucket names each bucket"
)
INVENTORY_NOT_VISIBLE = (
    "S3 accepted the inventory configuration, but does not return it: start adopt again in a minute. If the "
    "configuration is still missing, another writer has deleted it"
)


class AdoptTool:
    """Tool for `adopt BUCKET [--inventory] [--apply]`."""

    def __init__(
        self, options: argparse.Namespace, aws: Aws, target: Target, expected: ExpectedSettings | None
    ) -> None:
        self._apply: bool = options.apply
        self._bucket: str = options.bucket
        self._target = target
        self._adoption = Adoption(aws, target, self._bucket)
        self._inventory: InventoryAdoption | None = None
        if options.inventory:
            location = expected.inventory_location if expected else ""
            if not location:
                raise OperatorError(INVENTORY_OFF)
            self._inventory = InventoryAdoption(aws, target, self._bucket, location)
        self._indexed = [each.name for each in expected.existing_buckets] if expected else []

    def run(self, progress: Progress) -> int:
        with progress.step("settings read"):
            self._adoption.examine()
            if self._inventory and not self._adoption.report.prevented:
                self._inventory.examine()
        if self._apply and not self._adoption.report.event_bridge:
            with progress.step("EventBridge"):
                self._adoption.apply()
        report = self._adoption.report
        if self._inventory and self._apply and not report.prevented:
            with progress.step("inventory"):
                self._inventory.apply()
        inventoried = self._inventory is None or self._inventory.configured
        return OK if report.event_bridge and inventoried and not (report.obstacles or report.conflicts) else FINDINGS

    def lines(self) -> list[str]:
        report = self._adoption.report
        lines = columns(self._settings()) if report.region else []
        lines += [f"obstacle: {each.problem}; {each.remedy}" for each in report.obstacles]
        lines += [f"note: {note}" for note in report.notes]
        lines += [f"conflict: {CONFLICT}: {line}" for line in report.conflicts]
        lines += [f"conflict: {NOT_VISIBLE}"] * self._not_visible
        if not report.event_bridge and not report.prevented:
            lines += [COST] * bool(report.region)
        if report.sent:
            lines.append(f"to switch EventBridge off again: {self._inverse}")
            unsupported = ", ".join(each.kind for each in report.notifications if not each.is_supported)
            lines += [f"note: {OLD_CLI.format(unsupported)}"] * bool(unsupported)
        lines += self._inventory_lines()
        if steps := self._steps():
            lines += ["next steps:", *(f"  {step}" for step in steps), f"note: {DELAY}"]
        return lines

    def summary(self) -> str:
        summary = self._event_bridge_summary()
        if self._inventory is None or self._adoption.report.prevented:
            return summary
        if self._inventory.changed:
            return f"{summary}; the inventory configuration was added"
        if self._inventory.configured:
            return f"{summary}; the bucket has the inventory configuration"
        if self._inventory.sent:
            return f"{summary}; S3 does not return the inventory configuration yet"
        return f"{summary}; the inventory configuration is missing: --apply adds it"

    def _event_bridge_summary(self) -> str:
        report, bucket = self._adoption.report, repr(self._bucket)
        unchanged = f"unchanged: {count(len(report.notifications), 'notification')}"
        if report.prevented:
            return f"adopt: the stack cannot index {bucket}; nothing was changed"
        if self._not_visible or report.conflicts:
            state = "on" if report.event_bridge else "off"
            return f"adopt: EventBridge is {state} for {bucket}, but another writer may have changed the notifications"
        if report.changed:
            return f"adopt: EventBridge was switched on for {bucket}; {unchanged}"
        if report.event_bridge:
            return f"adopt: EventBridge is on for {bucket}, so no change of the bucket is necessary"
        change = f"adopt: one change of {bucket} is necessary: switch EventBridge on"
        return f"{change}; {unchanged}; dry run: --apply makes the change"

    def document(self) -> dict[str, Any]:
        report = self._adoption.report
        return {
            **asdict(report),
            "bucket": self._bucket,
            "account": self._target.account,
            "apply": self._apply,
            "price_per_million_events": prices.EVENTS.dollars,
            "inverse_command": self._inverse if report.sent else "",
            "inventory": self._inventory and self._inventory.configured,
            "inventory_sent": self._inventory is not None and self._inventory.sent,
            "inventory_changed": self._inventory is not None and self._inventory.changed,
            "inventory_removal_command": self._inventory.removal_command if self._inventory else "",
            "next_steps": self._steps(),
        }

    def resume_hint(self) -> str:
        if self._inventory and self._inventory.sent:
            return (
                "the inventory configuration may have been added; the other configurations did not change. Start adopt "
                "again: it prints the state of the bucket"
            )
        if self._adoption.report.sent:
            return (
                "EventBridge may have been switched on; the other notifications did not change. Start adopt again: it "
                "prints the state of the bucket"
            )
        return "nothing was changed; start adopt again"

    def _inventory_lines(self) -> list[str]:
        inventory = self._inventory
        if inventory is None or self._adoption.report.prevented:
            return []
        lines = [] if inventory.configured else [INVENTORY_COST]
        if inventory.sent:
            lines.append(f"to remove the inventory configuration again: {inventory.removal_command}")
        if inventory.configured:
            lines.append(f"note: {INVENTORY_DELAY}")
            lines += [f"note: {INVENTORY_DENIED}"] * (self._bucket not in self._indexed)
        elif inventory.sent:
            lines.append(f"conflict: {INVENTORY_NOT_VISIBLE}")
        return lines

    @property
    def _inverse(self) -> str:
        return inverse_command(self._bucket, self._target.account)

    @property
    def _not_visible(self) -> bool:
        """Return whether S3 accepted a change but does not return it yet."""
        report = self._adoption.report
        return report.accepted and not report.event_bridge

    def _settings(self) -> list[list[str]]:
        report = self._adoption.report
        encryption = f"{report.encryption} {report.kms_key}".strip()
        policy = "" if report.policy_statements is None else count(report.policy_statements, "statement")
        rows = [
            ["region", report.region],
            ["versioning", report.versioning],
            ["encryption", encryption],
            ["ownership", report.ownership],
            ["policy", policy],
            *(["notification", each.text()] for each in report.notifications),
        ]
        known = [["account", self._target.account], ["EventBridge", "on" if report.event_bridge else "off"]]
        other_account = any(each.obstacle == "account" for each in report.obstacles)
        return [[name, value or "unknown"] for name, value in rows] + known * (not other_account)

    def _steps(self) -> list[str]:
        """Return the commands of the next steps; empty if EventBridge is off or the stack cannot index the bucket."""
        report = self._adoption.report
        if not report.event_bridge or report.prevented:
            return []
        configure = configuration_commands(self._bucket, versioning=report.versioning, kms_key=report.kms_key)
        backfill = f"tapstack backfill --function {quoted(self._target.function)} --bucket {self._bucket} --invoke"
        return [*([] if self._bucket in self._indexed else [*configure, "pulumi up"]), backfill]
