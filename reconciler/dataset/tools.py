"""The tools that an example offers: `tools`, its old form `functions`, and `parallel_tool_calls`.

Pure. Chat, preference and reinforcement data may have them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.dataset.finding import Fault
from reconciler.dataset.messages import name_faults, type_faults
from reconciler.dataset.words import kind_of, missing


def tool_faults(holder: Mapping[str, Any], path: str) -> Iterator[Fault]:
    """Of what offers tools: an example, or a preference's input; ``path`` ends in a dot, or is ""."""
    if holder.get("tools") is not None:
        yield from _tools(holder["tools"], f"{path}tools")
    if holder.get("functions") is not None:
        yield from _functions(holder["functions"], f"{path}functions")
    parallel = holder.get("parallel_tool_calls")
    if parallel is not None and not isinstance(parallel, bool):
        yield Fault(f"{path}parallel_tool_calls", f"must be true or false, not {kind_of(parallel)}")


def _tools(tools: object, path: str) -> Iterator[Fault]:
    if isinstance(tools, str):
        yield Fault(path, "must be a list of tools, not a text: write the list itself")
        return
    if not isinstance(tools, list):
        yield Fault(path, f"must be a list of tools, not {kind_of(tools)}")
        return
    for number, tool in enumerate(tools):
        at = f"{path}[{number}]"
        if not isinstance(tool, dict):
            yield Fault(at, f"must be an object with type and function, not {kind_of(tool)}")
        elif "type" not in tool and "function" not in tool and "name" in tool:
            yield Fault(at, 'is a function: write {"type": "function", "function": …} around it')
        else:
            yield from type_faults(tool, at)
            if "function" not in tool:
                yield Fault(f"{at}.function", missing("write an object with name and parameters"))
            else:
                yield from _declared(tool["function"], f"{at}.function")


def _functions(functions: object, path: str) -> Iterator[Fault]:
    if not isinstance(functions, list):
        yield Fault(path, f"must be a list of functions, not {kind_of(functions)}")
        return
    for number, function in enumerate(functions):
        yield from _declared(function, f"{path}[{number}]")


def _declared(function: object, path: str) -> Iterator[Fault]:
    if not isinstance(function, dict):
        yield Fault(path, f"must be an object with name and parameters, not {kind_of(function)}")
        return
    yield from name_faults(function.get("name"), f"{path}.name", present="name" in function)
    parameters, description = function.get("parameters"), function.get("description")
    if parameters is not None and not isinstance(parameters, dict):
        yield Fault(f"{path}.parameters", f"must be an object (a JSON Schema), not {kind_of(parameters)}")
    if description is not None and not isinstance(description, str):
        yield Fault(f"{path}.description", f"must be a text, not {kind_of(description)}")
