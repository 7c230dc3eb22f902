"""The content of a message: a text, or a list of parts, some of which are images.

Pure. `messages` asks with the role of the message, for an assistant's may hold no image.
"""

import re
from collections.abc import Iterator
from typing import Any

from reconciler.dataset.finding import Fault
from reconciler.dataset.words import kind_of, missing, quoted

_IMAGE_BYTES = 10 * 1024 * 1024
_DATA = re.compile(r"data:image/(?:png|jpeg|jpg|webp);base64,")
_BASE64 = re.compile(r"[A-Za-z0-9+/\r\n]*+={0,2}\s*")
_DETAILS = ("auto", "low", "high")
# What other APIs call the parts.
_MEANT_TYPES = {
    "image": "image_url",
    "input_image": "image_url",
    "image_file": "image_url",
    "input_text": "text",
    "output_text": "text",
}


def content_faults(content: object, role: str, path: str) -> Iterator[Fault]:
    """Of content that is not null."""
    if isinstance(content, str):
        if not content and role == "assistant":
            yield Fault(path, "is empty: there is nothing to learn from it")
        return
    if not isinstance(content, list):
        yield Fault(path, f"must be a text or a list of parts, not {kind_of(content)}")
        return
    if not content:
        yield Fault(path, "is an empty list: write a text")
    for number, part in enumerate(content):
        yield from _part(part, role, f"{path}[{number}]")


def _part(part: object, role: str, path: str) -> Iterator[Fault]:
    if not isinstance(part, dict):
        yield Fault(path, f'must be a part such as {{"type": "text", "text": "…"}}, not {kind_of(part)}')
        return
    kind = part.get("type")
    if kind == "text" or (kind == "refusal" and role == "assistant"):
        if not isinstance(part.get(kind), str):
            given = f"must be a text, not {kind_of(part[kind])}" if kind in part else missing("write a text")
            yield Fault(f"{path}.{kind}", given)
    elif kind == "image_url":
        yield from _image(part, role, path)
    elif "type" not in part:
        yield Fault(f"{path}.type", missing("write text or image_url"))
    elif isinstance(kind, str):
        meant = _MEANT_TYPES.get(kind)
        way_on = f"write {meant}" if meant else "files for training hold text and image_url"
        yield Fault(f"{path}.type", f"{quoted(kind)} is no part of a message: {way_on}")
    else:
        yield Fault(f"{path}.type", f"must be text or image_url, not {kind_of(kind)}")


def _image(part: dict[str, Any], role: str, path: str) -> Iterator[Fault]:
    if role == "assistant":
        yield Fault(path, "an image in an assistant message: a model does not learn to make images; remove it")
        return
    if role != "user":
        yield Fault(path, f"an image in a {role} message: images stand in user messages")
        return
    image = part.get("image_url")
    if "image_url" not in part:
        yield Fault(f"{path}.image_url", missing('write {"url": "https://…"}'))
    elif isinstance(image, str):
        yield Fault(f"{path}.image_url", 'must be an object: write {"url": "…"} around the address')
    elif not isinstance(image, dict):
        yield Fault(f"{path}.image_url", f'must be an object {{"url": "…"}}, not {kind_of(image)}')
    else:
        if image.get("detail") is not None and image["detail"] not in _DETAILS:
            yield Fault(
                f"{path}.image_url.detail", f"must be one of {', '.join(_DETAILS)}, not {quoted(image['detail'])}"
            )
        yield from _address(image, f"{path}.image_url.url")


def _address(image: dict[str, Any], path: str) -> Iterator[Fault]:
    url = image.get("url")
    if "url" not in image:
        yield Fault(path, missing("write an address, or data:image/png;base64,…"))
    elif not isinstance(url, str):
        yield Fault(path, f"must be a text, not {kind_of(url)}")
    elif url.startswith("data:"):
        yield from _data(url, path)
    elif not url.startswith(("https://", "http://")) or len(url) <= len("https://"):
        yield Fault(path, f"{quoted(url)} is no address: write https://…, or data:image/png;base64,…")


def _data(url: str, path: str) -> Iterator[Fault]:
    head = _DATA.match(url)
    if head is None:
        yield Fault(path, f"{quoted(url)}: write data:image/png;base64,… (or jpeg, or webp)")
    elif not _BASE64.fullmatch(url, head.end()) or head.end() == len(url):
        yield Fault(path, "what follows base64, is no base64")
    elif (size := (len(url) - head.end()) * 3 // 4) > _IMAGE_BYTES:
        yield Fault(path, f"an image of about {size / 1024 / 1024:.1f} MB: the API takes 10 MB, scale it down")


def images_in(messages: object) -> int:
    """How many images there are in these messages; in what is no list of messages there are none."""
    given = messages if isinstance(messages, list) else ()
    contents = (message.get("content") for message in given if isinstance(message, dict))
    return sum(
        isinstance(part, dict) and part.get("type") == "image_url"
        for content in contents
        if isinstance(content, list)
        for part in content
    )
