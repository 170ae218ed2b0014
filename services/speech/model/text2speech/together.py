"""After the encoder's lesson: text2speech and the vocoder, trained on by what is heard of both together.

What text2speech says of a symbol is close to the encoder's values and never quite them; the vocoder that learned from
the encoder has not heard such values. So the teacher's clips are said again: text2speech says what each symbol sounds
like, the vocoder makes sound of that, and what is far from the teacher's sound is learned by both. Lengths, pitch and
loudness go on to be learned from the encoder, and so are the inner values, so that neither network leaves what it can.

In use is the mean of the weights before and after (`halfway`): it is understood better than either, by the encoder's
values and by its own (Wortsman et al., "Model soups", 2022).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from services.speech.model.text2speech import speaking
from services.speech.model.text2speech.encoder import FRAME_WEIGHTS, SYMBOL_WEIGHTS
from services.speech.model.text2speech.export import export
from services.speech.model.text2speech.network import Network
from services.speech.model.text2speech.speaking import Speaking, padded
from services.speech.model.vocoder import train as vocoding
from services.speech.model.vocoder.export import export as export_vocoder
from services.speech.model.vocoder.losses import RESOLUTIONS
from services.speech.model.vocoder.network import Network as Vocoder
from services.speech.model.vocoder.train import Clips, Heard, perform
from services.speech.model.vocoder.vocoder import WEIGHTS as VOCODER_WEIGHTS
from services.training.task import Options, drawn, share
from services.training.weights import read_back

UTTERANCES = 2
"""For each crop that is heard, so many are learned from the encoder."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Utterances of the encoder, and crops of the teacher's clips with what is said in them."""

    utterances: speaking.Batch
    tokens: Tensor
    """[batch, n] Of the crops' clips."""
    real: Tensor
    """[batch, n, 1]"""
    owner: Tensor
    """[batch, frames] The number of each frame's symbol."""
    crops: vocoding.Batch
    """Their `inner` are the encoder's, which nobody hears here."""
    resolutions: list[int]


class Pair(nn.Module):
    """Both networks."""

    def __init__(self) -> None:
        super().__init__()
        self.text2speech = Network()
        self.vocoder = Vocoder()

    def forward(self, batch: Batch) -> tuple[tuple[Tensor, Tensor, Tensor], Heard]:
        """What is said of the utterances (see `Network`), and what is heard of the crops."""
        given = batch.utterances
        made = self.text2speech(given.tokens, given.style, given.real, given.owner, given.places, given.sounding)
        _, inner = self.text2speech.symbols.sound(batch.tokens, batch.real)
        return made, perform(self.vocoder, said(batch.crops, inner, batch.owner))


def halfway(before: nn.Module, after: nn.Module) -> None:
    """Moves the weights of `after`, in place, to the mean of both."""
    with torch.no_grad():
        for old, new in zip(before.parameters(), after.parameters(), strict=True):
            new.lerp_(old, 0.5)


def said(crops: vocoding.Batch, inner: Tensor, owner: Tensor) -> vocoding.Batch:
    """The crops with what text2speech says of their symbols."""
    of_frames = inner.gather(1, owner[..., None].expand(-1, -1, inner.shape[-1]))
    return replace(crops, inner=of_frames.transpose(1, 2))


class Together:
    """The task (see `services.training.task.Task`)."""

    def __init__(self, utterances: Speaking, clips: Clips, options: Options) -> None:
        """`utterances`: UTTERANCES times as many in a batch as the options say."""
        self._utterances, self._clips, self._options = utterances, clips, options

    def network(self) -> nn.Module:
        """Both with the weights in the repository."""
        pair = Pair()
        read_back(pair.text2speech, [SYMBOL_WEIGHTS, FRAME_WEIGHTS], lambda files: export(pair.text2speech, *files))
        read_back(pair.vocoder, [VOCODER_WEIGHTS], lambda files: export_vocoder(pair.vocoder, *files))
        return pair

    def batch(self, step: int, micro: int, rank: int, ranks: int) -> Batch:
        random = drawn(self._options.seed, step, micro)
        places = self._clips.draw(self._options.batch, random)
        resolutions = [int(length) for length in random.choice(RESOLUTIONS, 2, replace=False)]
        utterances = self._utterances.batch(step, micro, rank, ranks)
        return Batch(utterances, *self._pieces(places[share(self._options.batch, rank, ranks)]), resolutions)

    def heard_from(self, pair: Pair, size: int, random: np.random.Generator) -> vocoding.Batch:
        """Crops as the vocoder hears them now."""
        tokens, real, owner, crops = self._pieces(self._clips.draw(size, random))
        with torch.no_grad():
            _, inner = pair.text2speech.symbols.sound(tokens, real)
        return said(crops, inner, owner)

    def _pieces(self, places: Sequence[tuple[int, int]]) -> tuple[Tensor, Tensor, Tensor, vocoding.Batch]:
        """Tokens, which of them are real, owners and crops; see Batch."""
        found = [self._clips.said(*place) for place in places]
        most = max(len(tokens) for tokens, _ in found)
        return (
            padded([tokens for tokens, _ in found], most),
            padded([np.ones((len(tokens), 1), np.float32) for tokens, _ in found], most),
            padded([owner for _, owner in found], len(found[0][1])),
            self._clips.crops(places),
        )

    def loss(self, network: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        made, heard = network(batch)
        from_encoder = self._utterances.off(made, batch.utterances)
        from_teacher = vocoding.off(batch.crops, heard, batch.resolutions)
        whole = from_encoder.pop("loss") + from_teacher.pop("loss")
        return {"loss": whole, **from_encoder, **from_teacher}
