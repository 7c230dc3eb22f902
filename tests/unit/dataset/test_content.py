"""The images in messages are counted, whatever else a file that is not checked yet has in their place."""

import pytest

from reconciler.dataset.content import images_in

IMAGE, TEXT = {"type": "image_url"}, {"type": "text"}


@pytest.mark.parametrize(
    ("messages", "images"),
    [
        ([{"role": "user", "content": [IMAGE, TEXT, IMAGE]}, {"role": "user", "content": [IMAGE]}], 3),
        ([{"role": "user", "content": [IMAGE, 7]}, 7, {"role": "user", "content": "text"}], 1),
        ([{"role": "user"}], 0),
        ([], 0),
        (None, 0),
        ("messages", 0),
    ],
)
def test_images_are_counted_and_anything_else_is_none(messages: object, images: int) -> None:
    assert images_in(messages) == images
