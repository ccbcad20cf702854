"""Mock: a to-do list, the benchmark's own small example; its user has a list of notifications."""

from __future__ import annotations

from agentbench.errors import ToolError
from agentbench.tools.tau2.desk import TRANSFER
from agentbench.tools.tau2.records import Record
from agentbench.tools.tau2.world import Domain, World, existing, offered, text

STATUSES = ("pending", "completed")


def create_task(world: World, user_id: str, title: str, description: str | None = None) -> Record:
    """The new task, pending."""
    existing(world.company, "users", user_id)
    task_id = f"task_{sum(1 for _ in world.company.each('tasks')) + 1}"
    task = {"task_id": task_id, "title": title, "description": description, "status": "pending"}
    world.company.put("tasks", task_id, task)
    world.company.edit("users", user_id)["tasks"].append(task_id)
    return task


def get_users(world: World) -> list[Record]:
    """All users."""
    return [user for _, user in world.company.each("users")]


def update_task_status(world: World, task_id: str, status: str) -> Record:
    """The task with its new status."""
    existing(world.company, "tasks", task_id)
    if status not in STATUSES:
        raise ToolError(f"a status is one of {list(STATUSES)}, not {status!r}")
    task = world.company.edit("tasks", task_id)
    task["status"] = status
    return task


def check_notifications(world: World) -> list[Record]:
    """The user's notifications, read and unread."""
    return [each for _, each in world.user.each("notifications")]


def dismiss_notification(world: World, notification_id: str) -> Record:
    """The notification, read."""
    existing(world.user, "notifications", notification_id)
    notification = world.user.edit("notifications", notification_id)
    notification["status"] = "read"
    return notification


def add_notification(world: World, notification_id: str, message: str, task_id: str | None = None) -> None:
    """A new unread notification, at a task's beginning."""
    entry = {"notification_id": notification_id, "message": message, "status": "unread", "task_id": task_id}
    world.user.put("notifications", notification_id, entry)


def assert_task_status(world: World, task_id: str, expected_status: str) -> bool:
    """Whether a task has a status; no task has none."""
    task = world.company.find("tasks", task_id)
    return task is not None and task["status"] == expected_status


def assert_notification_status(world: World, notification_id: str, expected_status: str) -> bool:
    """Whether a notification has a status."""
    notification = world.user.find("notifications", notification_id)
    return notification is not None and notification["status"] == expected_status


_TASK = text("Id of the task, such as 'task_1'.")

MOCK = Domain(
    tools=(
        offered(
            create_task,
            "Add a task to a user's list.",
            {
                "user_id": text("Id of the user, such as 'user_1'."),
                "title": text("Title."),
                "description": {"type": ["string", "null"], "description": "What it is about.", "default": None},
            },
        ),
        offered(get_users, "All users with the ids of their tasks."),
        offered(
            update_task_status,
            "Set the status of a task.",
            {"task_id": _TASK, "status": text("The new status.", STATUSES)},
        ),
        TRANSFER,
    ),
    user_tools=(
        offered(check_notifications, "Look at your notifications."),
        offered(dismiss_notification, "Mark a notification as read.", {"notification_id": text("Its id.")}),
    ),
    setup={"add_notification": add_notification},
    checks={
        "assert_task_status": assert_task_status,
        "assert_notification_status": assert_notification_status,
    },
)
