"""Answers of real servers, where this machine has them: no test needs them to pass.

``AZURE_ANSWERS`` names the folder; else it is looked for in a folder `shared` beside the checkout.
"""

import json
import os
from pathlib import Path
from typing import Any

_BESIDE = Path(__file__).parents[3] / "shared" / "api" / "azure" / "answers"
FOLDER = Path(os.environ.get("AZURE_ANSWERS") or _BESIDE)
AZURE = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
WHY_NOT = f"there are no recorded answers in {FOLDER}"


def objects(kind: str) -> list[dict[str, Any]]:
    """Every object of a kind, of all answers, also of lists."""
    whole = [item for answer in AZURE.values() for item in answer.get("data", [answer])]
    return [item for item in whole if item.get("object") == kind]
