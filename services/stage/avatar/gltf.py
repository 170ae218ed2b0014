"""Writes glTF 2.0 binary files (Khronos "glTF 2.0 Specification", registry.khronos.org/glTF/specs/2.0).

Only what her body needs: indexed triangles, skins, sparse morph targets, PNG and JPEG images. Quantised attributes are
left out on purpose, because several VRM applications do not read them; bytes for joints and weights are core glTF.
"""

import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

Json = dict[str, Any]

_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963
_COMPONENT = {"int8": 5120, "uint8": 5121, "int16": 5122, "uint16": 5123, "uint32": 5125, "float32": 5126}


class GltfWriter:
    """Collects arrays and images into one buffer, and the JSON around it into `document`."""

    def __init__(self, generator: str) -> None:
        self._chunks: list[bytes] = []
        self._length = 0
        self.document: Json = {"asset": {"version": "2.0", "generator": generator}}

    def append(self, collection: str, item: Json) -> int:
        """Append to a top-level array such as `nodes`; returns the new index."""
        items = self.document.setdefault(collection, [])
        items.append(item)
        return len(items) - 1

    def accessor(
        self, values: NDArray[Any], kind: str, *, normalized: bool = False, bounds: bool = False, indices: bool = False
    ) -> int:
        """A dense accessor of type `kind` (SCALAR, VEC2, …) in the array's own component type."""
        view = self._view(values, _ELEMENT_ARRAY_BUFFER if indices else _ARRAY_BUFFER)
        accessor: Json = {
            "bufferView": view,
            "componentType": _COMPONENT[values.dtype.name],
            "count": len(values),
            "type": kind,
        }
        if normalized:
            accessor["normalized"] = True
        if bounds:
            accessor |= _bounds(values)
        return self.append("accessors", accessor)

    def matrices(self, values: NDArray[np.float32]) -> int:
        """An accessor of column-major 4×4 matrices given row-major as (n, 4, 4)."""
        columns = np.ascontiguousarray(values.transpose(0, 2, 1))
        view = self._view(columns, None)
        return self.append(
            "accessors", {"bufferView": view, "componentType": 5126, "count": len(values), "type": "MAT4"}
        )

    def sparse_vec3(self, values: NDArray[np.float32], *, bounds: bool) -> int:
        """A float VEC3 accessor that stores only the rows that are not zero."""
        rows = np.flatnonzero(np.any(values != 0, axis=1))
        accessor: Json = {"componentType": 5126, "count": len(values), "type": "VEC3"}
        if bounds:
            accessor |= _bounds(values)
        if len(rows):
            index = rows.astype(np.uint16 if len(values) <= 0xFFFF else np.uint32)
            accessor["sparse"] = {
                "count": len(rows),
                "indices": {"bufferView": self._view(index, None), "componentType": _COMPONENT[index.dtype.name]},
                "values": {"bufferView": self._view(values[rows], None)},
            }
        return self.append("accessors", accessor)

    def image(self, name: str, data: bytes, mime_type: str) -> int:
        """Embed an encoded image and a texture that shows it; returns the texture's index."""
        view = self.append("bufferViews", {"buffer": 0, "byteOffset": self._place(data), "byteLength": len(data)})
        source = self.append("images", {"name": name, "bufferView": view, "mimeType": mime_type})
        return self.append("textures", {"source": source, "sampler": 0})

    def to_bytes(self) -> bytes:
        """The complete .glb file."""
        body = b"".join(self._chunks)
        self.document["buffers"] = [{"byteLength": len(body)}]
        text = json.dumps(self.document, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-len(text) % 4)
        total = 12 + 8 + len(text) + 8 + len(body)
        header = struct.pack("<4sII", b"glTF", 2, total)
        return header + struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(body), b"BIN\0") + body

    def _view(self, values: NDArray[Any], target: int | None) -> int:
        data = np.ascontiguousarray(values).tobytes()
        view: Json = {"buffer": 0, "byteOffset": self._place(data), "byteLength": len(data)}
        if target is not None:
            view["target"] = target
        return self.append("bufferViews", view)

    def _place(self, data: bytes) -> int:
        offset = self._length
        padded = data + b"\0" * (-len(data) % 4)
        self._chunks.append(padded)
        self._length += len(padded)
        return offset


def _bounds(values: NDArray[Any]) -> Json:
    return {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
