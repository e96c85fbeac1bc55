"""Tells Muster what Ansible does: one JSON object a line over a Unix socket, instead of text on a screen.

What a task with no_log returns never reaches this file uncensored, and is left out here as well. Everything has a
bound, so that one huge result cannot become a huge event; Muster hides secret values and cuts further.
"""

from __future__ import annotations

DOCUMENTATION = """
    name: muster_events
    type: stdout
    short_description: events for Muster
    description:
        - Writes one JSON object a line to the Unix socket named by MUSTER_EVENTS.
"""

import json
import os
import socket

from ansible.plugins.callback import CallbackBase

TEXT_MAX = 16384
LINES_MAX = 200
HIDDEN = "hidden (no_log)"


def text(value, limit=TEXT_MAX):
    value = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    value = value.encode("utf-8", "replace").decode("utf-8")
    return value if len(value) <= limit else value[:limit] + " [cut]"


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "muster_events"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.numbers = {}
        self.root = os.getcwd() + os.sep
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(os.environ["MUSTER_EVENTS"])

    def tell(self, event, **fields):
        fields["event"] = event
        line = json.dumps(fields, default=str, ensure_ascii=False) + "\n"
        self.socket.sendall(line.encode("utf-8", "replace"))

    # What a result says, in the words of Muster.

    def parts(self, result):
        host = result._host.get_name()
        task = result._task
        said = result._result if isinstance(result._result, dict) else {}
        hidden = bool(getattr(task, "no_log", False)) or "censored" in said or bool(said.get("_ansible_no_log"))
        return host, task, said, hidden

    def message(self, task, said):
        for key in ("msg", "reason", "skip_reason", "false_condition"):
            if said.get(key) not in (None, ""):
                return text(said[key])
        if getattr(task, "action", "").rsplit(".", 1)[-1] == "debug":
            shown = {key: value for key, value in said.items() if not key.startswith(("_", "ansible_"))}
            shown.pop("changed", None)
            shown.pop("failed", None)
            return text(shown) if shown else ""
        return ""

    def lines(self, said, name):
        value = said.get(name)
        if not isinstance(value, str) or not value:
            return []
        lines = value.splitlines()
        shown = [text(line, 2048) for line in lines[:LINES_MAX]]
        if len(lines) > LINES_MAX:
            shown.append("[%d more lines]" % (len(lines) - LINES_MAX))
        return shown

    def host_event(self, result, outcome, event="host"):
        host, task, said, hidden = self.parts(result)
        fields = {"host": host, "task": self.numbers.get(task._uuid, 0), "outcome": outcome}
        if hidden:
            fields["message"] = HIDDEN
        else:
            fields["message"] = self.message(task, said)
            fields["stdout"] = self.lines(said, "stdout")
            fields["stderr"] = self.lines(said, "stderr") or self.lines(said, "module_stderr")
            if event == "item":
                fields["item"] = text(said.get("_ansible_item_label", said.get("item", "")), 256)
            if outcome == "retry":
                fields["attempts"] = said.get("attempts", 0)
        self.tell(event, **fields)

    # Ansible's side.

    def v2_playbook_on_start(self, playbook):
        self.tell("playbook", file=text(os.path.basename(playbook._file_name), 256))

    def v2_playbook_on_play_start(self, play):
        self.tell("play", name=text(play.get_name().strip(), 512))

    def task_event(self, task, kind):
        if task._uuid in self.numbers:
            return
        number = len(self.numbers) + 1
        self.numbers[task._uuid] = number
        path = task.get_path() or ""
        path = path[len(self.root):] if path.startswith(self.root) else path
        self.tell("task", number=number, kind=kind, name=text(task.get_name().strip(), 512),
                  action=text(task.action, 128), path=text(path, 512))

    def v2_playbook_on_task_start(self, task, is_conditional):
        self.task_event(task, "task")

    def v2_playbook_on_cleanup_task_start(self, task):
        self.task_event(task, "task")

    def v2_playbook_on_handler_task_start(self, task):
        self.task_event(task, "handler")

    def v2_playbook_on_no_hosts_matched(self):
        self.tell("nobody")

    def v2_runner_on_ok(self, result):
        self.host_event(result, "changed" if result.is_changed() else "ok")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.host_event(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_unreachable(self, result):
        self.host_event(result, "unreachable")

    def v2_runner_on_skipped(self, result):
        self.host_event(result, "skipped")

    def v2_runner_retry(self, result):
        self.host_event(result, "retry")

    def v2_runner_item_on_ok(self, result):
        self.host_event(result, "changed" if result.is_changed() else "ok", "item")

    def v2_runner_item_on_failed(self, result):
        self.host_event(result, "failed", "item")

    def v2_runner_item_on_skipped(self, result):
        self.host_event(result, "skipped", "item")

    def v2_playbook_on_stats(self, stats):
        hosts = {host: stats.summarize(host) for host in sorted(stats.processed)}
        self.tell("stats", hosts=hosts)
