"""Physically based materials as glTF describes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.stage.avatar.gltf import Json


@dataclass(frozen=True)
class Image:
    """An encoded picture."""

    data: bytes
    mime_type: str


@dataclass(frozen=True)
class Material:
    """One glTF material; `textures` maps glTF slots (baseColorTexture, normalTexture, …) to pictures."""

    name: str
    roughness: float
    metallic: float = 0.0
    color: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)  # linear
    emissive: tuple[float, float, float] = (0.0, 0.0, 0.0)  # linear
    double_sided: bool = False
    alpha_mode: str = "OPAQUE"
    textures: Mapping[str, Image] = field(default_factory=dict)
    extensions: Mapping[str, Json] = field(default_factory=dict)

    def to_json(self, textures: Mapping[str, Json]) -> Json:
        """The glTF material; `textures`: slot → texture reference."""
        surface: Json = {
            "baseColorFactor": list(self.color),
            "metallicFactor": self.metallic,
            "roughnessFactor": self.roughness,
        }
        surface |= {
            slot: textures[slot] for slot in ("baseColorTexture", "metallicRoughnessTexture") if slot in textures
        }
        material: Json = {"name": self.name, "pbrMetallicRoughness": surface}
        material |= {slot: textures[slot] for slot in ("normalTexture", "emissiveTexture") if slot in textures}
        if any(self.emissive):
            material["emissiveFactor"] = list(self.emissive)
        if self.double_sided:
            material["doubleSided"] = True
        if self.alpha_mode != "OPAQUE":
            material["alphaMode"] = self.alpha_mode
        if self.extensions:
            material["extensions"] = dict(self.extensions)
        return material
