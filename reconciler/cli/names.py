"""The commands by name, and the flags of all: what a help page and a completion need to know.

Imports nothing: `reconciler --help` and each press of TAB wait for this module. `group` finds the commands by this
table, `command` makes the flags of it.
"""

from collections.abc import Mapping

_WRITE, _ACT, _LOOK, _SERVE = "Write and check", "Plan and apply", "Look", "Serve"
# The module of `cli.commands` in which the flags of a section's commands stand.
DECLARED_IN: Mapping[str, str] = {_WRITE: "writing", _ACT: "acting", _LOOK: "looking", _SERVE: "serving"}


class Listed:
    """A command as the list of commands shows it; ``summary`` is the first sentence of its help.

    ``takes``: its argument, for completion: a directory, the name of a job, files, or nothing. ``function``: what it is
    called in its module and in `commands`, where its own name is a word of Python's. No dataclass, which would import
    `inspect` (7 ms).
    """

    __slots__ = ("function", "module", "section", "summary", "takes")

    def __init__(self, section: str, module: str, summary: str, takes: str = "directory", function: str = "") -> None:
        self.section = section
        self.module = module
        self.summary = summary
        self.takes = takes
        self.function = function


COMMANDS: Mapping[str, Listed] = {
    "init": Listed(_WRITE, "authoring", "Write a fleet, an example job and its data."),
    "validate": Listed(_WRITE, "authoring", "Check manifests and training files, offline."),
    "data": Listed(_WRITE, "datasets", "Show what training files hold, and what they would cost.", "files"),
    "import": Listed(_WRITE, "importing", "Write manifests for jobs that exist already.", function="import_jobs"),
    "schema": Listed(_WRITE, "authoring", "Print the JSON Schema of the manifests, for editors.", ""),
    "plan": Listed(_ACT, "reconciling", "Show what apply would do, and why."),
    "apply": Listed(_ACT, "reconciling", "Create what is missing, cancel what was removed: once."),
    "forget": Listed(_ACT, "inspecting", "Drop what holds up a job: a lost record, a stuck cancel.", "name"),
    "status": Listed(_LOOK, "inspecting", "Show how the jobs stand, a row each."),
    "describe": Listed(_LOOK, "inspecting", "Show everything of one job, and what happens next.", "name"),
    "files": Listed(_LOOK, "files", "Show the fleet's files at the provider, and delete those that nothing needs."),
    "doctor": Listed(_LOOK, "doctor", "Show what a server can do, and what safety rests on there."),
    "events": Listed(_LOOK, "inspecting", "Show the provider's events of a job, the oldest first.", "name"),
    "checkpoints": Listed(_LOOK, "inspecting", "Show the provider's checkpoints of a job.", "name"),
    "run": Listed(_SERVE, "running", "Keep the fleet as declared, for ever: watch, resync, retry."),
    "sandbox": Listed(_SERVE, "serving", "Serve a local provider that trains nothing.", ""),
}

# Short form, long form and help of the flags that say how a command speaks, and of the two that end it at once.
YES = ("-y", "--yes", "Do not ask: the answer is yes.")
QUIET = ("-q", "--quiet", "Print the result and errors only.")
VERBOSE = ("-v", "--verbose", "Show the log, with every request.")
COLOR = ("", "--color", "Use colours: auto, always or never.")
VERSION = ("-V", "--version", "Print the version.")
HELP = ("-h", "--help", "Show this message and exit.")
FLAGS = (YES, QUIET, VERBOSE, COLOR, VERSION, HELP)
