"""What a finished file costs the machine that shows it."""

import io
import json
import struct
from dataclasses import dataclass

from PIL import Image

_MIPMAPS = 4 / 3
_TEXEL = 4  # bytes, once unpacked


@dataclass(frozen=True)
class Figures:
    """Of one .vrm file."""

    bytes: int
    triangles: int
    draw_calls: int
    texture_bytes: int  # unpacked in memory, with mipmaps

    def __str__(self) -> str:
        return (
            f"{self.bytes / 1e6:.1f} MB, {self.triangles:,} triangles in {self.draw_calls} draw calls, "
            f"{self.texture_bytes / 1e6:.0f} MB of textures in memory"
        )


def figures(data: bytes) -> Figures:
    """Counts what is in a .glb file."""
    size = struct.unpack_from("<I", data, 12)[0]
    document, body = json.loads(data[20 : 20 + size]), 28 + size
    primitives = [primitive for mesh in document["meshes"] for primitive in mesh["primitives"]]
    texels = 0
    for image in document["images"]:
        view = document["bufferViews"][image["bufferView"]]
        start = body + view["byteOffset"]
        with Image.open(io.BytesIO(data[start : start + view["byteLength"]])) as picture:
            texels += picture.width * picture.height
    triangles = sum(document["accessors"][primitive["indices"]]["count"] for primitive in primitives) // 3
    return Figures(len(data), triangles, len(primitives), int(texels * _TEXEL * _MIPMAPS))
