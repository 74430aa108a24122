"""The head of SPLADE models, computed without the logits of all tokens over the whole vocabulary.

The library takes the decoder's logits of each token (batch x tokens x vocabulary), the activation of each, and then the
maximum over tokens. ReLU and log1p are monotone, so the maximum may come first; decoder product and maximum are then taken
together, a slice of the vocabulary at a time, and only (batch x vocabulary) values remain. Backward, a value reaches the one
token it came from. Max pooling as in SPLADE v2 (Formal et al. 2021, https://arxiv.org/abs/2109.10086).

Numbers are those of the library up to rounding. Nothing of it is saved: files and weights are the library's own.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sparse_encoder.modules import SpladePooling

SLICE_BYTES = 2**24
"""Logits that are alive at a time: what fits into a processor's cache is twice as fast as what does not."""
GPU_SLICE_BYTES = 2**28
TOLERANCE = 1e-4


def fuse(model: nn.Module) -> bool:
    """Gives each SPLADE head in `model` the fused computation, where that is proved to give the library's numbers.

    Heads that compute otherwise (sum pooling, a decoder that is no plain linear layer, or one with something behind it) are
    left as they are. Returns whether one was changed.
    """
    return sum(_fused(*pair) for pair in _heads(model)) > 0


def _heads(model: nn.Module) -> Iterator[tuple[Transformer, SpladePooling]]:
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sparse_encoder.modules import SpladePooling

    for part in model.modules():
        if isinstance(part, nn.Sequential):
            for one, other in pairwise(part):
                if isinstance(one, Transformer) and isinstance(other, SpladePooling):
                    yield one, other


def _fused(transformer: Transformer, pooling: SpladePooling) -> bool:
    decoder = transformer.model.get_output_embeddings()
    if type(decoder) is not nn.Linear or pooling.pooling_strategy != "max":
        return False
    before = _answer(transformer, pooling)
    # Attributes of these two instances: copies keep them, files do not.
    vars(decoder)["forward"] = _hidden_states
    vars(pooling)["forward"] = partial(_pooled, pooling, decoder)
    try:
        if torch.allclose(_answer(transformer, pooling), before, rtol=TOLERANCE, atol=TOLERANCE):
            return True
    except (RuntimeError, ValueError):
        pass
    del vars(decoder)["forward"], vars(pooling)["forward"]
    return False


def _answer(transformer: Transformer, pooling: SpladePooling) -> Tensor:
    """What both say about two short texts of unequal length."""
    device = next(transformer.parameters()).device
    training = transformer.training
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]], device=device)
    ids = torch.arange(4, device=device).repeat(2, 1) * mask
    with torch.no_grad():
        transformer.eval()
        found: Tensor = pooling(transformer({"input_ids": ids, "attention_mask": mask}))["sentence_embedding"]
        transformer.train(training)
    return found


def _hidden_states(hidden: Tensor) -> Tensor:
    """In place of the decoder's product, which the pooling takes."""
    return hidden


def _pooled(pooling: SpladePooling, decoder: nn.Linear, features: dict[str, Any]) -> dict[str, Any]:
    hidden = features["token_embeddings"]
    if "cu_seq_lens_q" in features:
        lengths, packed = features["cu_seq_lens_q"].diff(), hidden.squeeze(0)
    else:
        valid = features["attention_mask"].bool()
        lengths, packed = valid.sum(1), hidden[valid]
    greatest = maximum_over_tokens(packed, decoder.weight, decoder.bias, tuple(lengths.tolist()))
    # A text without a token has no maximum: minus infinity becomes 0.
    pooled = greatest.relu().log1p()
    if pooling.activation_function == "log1p_relu":
        pooled = pooled.log1p()
    if pooling.embedding_dimension is None:
        pooling.embedding_dimension = pooled.shape[1]
    features["sentence_embedding"] = pooled
    return features


def maximum_over_tokens(hidden: Tensor, weight: Tensor, bias: Tensor | None, lengths: tuple[int, ...]) -> Tensor:
    """`max over the tokens t of a text of (hidden[t] @ weight.T + bias)`, for each text and each word of the vocabulary.

    Shapes: hidden (tokens of all texts, width), weight (vocabulary, width), bias (vocabulary) or None, lengths one number
    a text; the result is (texts, vocabulary). Where several tokens have the maximum, one of them gets the gradient.
    """
    found: Tensor = _MaximumOverTokens.apply(hidden, weight, bias, lengths)  # type: ignore[no-untyped-call]
    return found


class _MaximumOverTokens(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, lengths: tuple[int, ...]) -> Tensor:
        kind = hidden.device.type
        type_ = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype
        ctx.save_for_backward(hidden, weight)
        ctx.lengths, ctx.type = lengths, type_
        with torch.autocast(kind, enabled=False):
            tokens, found = hidden.to(type_), weight.new_empty(len(lengths), len(weight))
            for words in _slices(len(tokens), weight, type_):
                logits = tokens @ weight[words].to(type_).T
                _maxima(logits, lengths, found[:, words])
            return found if bias is None else found.add_(bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        hidden, weight = ctx.saved_tensors
        with torch.autocast(hidden.device.type, enabled=False):
            flow = _to_winners(gradient, hidden.to(ctx.type), weight, ctx.lengths)
            wanted = ctx.needs_input_grad
            to_hidden = torch.sparse.mm(flow, weight).to(hidden.dtype) if wanted[0] else None
            to_weight = torch.sparse.mm(flow.t(), hidden.to(weight.dtype)) if wanted[1] else None
            to_bias = gradient.sum(0) if wanted[2] else None
        return to_hidden, to_weight, to_bias, None


def _slices(tokens: int, weight: Tensor, type_: torch.dtype) -> Iterator[slice]:
    limit = SLICE_BYTES if weight.device.type == "cpu" else GPU_SLICE_BYTES
    words = max(64, limit // max(1, tokens * type_.itemsize) // 64 * 64)
    return (slice(start, start + words) for start in range(0, len(weight), words))


def _maxima(logits: Tensor, lengths: tuple[int, ...], into: Tensor) -> None:
    """The maximum of each text's rows."""
    if len(set(lengths)) == 1 and lengths[0]:
        into.copy_(logits.view(len(lengths), lengths[0], -1).amax(1))
        return
    for row, part in enumerate(torch.split(logits, list(lengths))):
        into[row] = part.amax(0) if len(part) else -torch.inf


def _to_winners(gradient: Tensor, hidden: Tensor, weight: Tensor, lengths: tuple[int, ...]) -> Tensor:
    """`gradient` (texts, vocabulary) as a sparse matrix (tokens, vocabulary): each value at the token that it came from."""
    texts, words = gradient.nonzero(as_tuple=True)
    counts = texts.bincount(minlength=len(lengths)).tolist()
    starts = [0]
    for length in lengths:
        starts.append(starts[-1] + length)
    winners = [
        (weight[mine].to(hidden.dtype) @ hidden[start:end].T).argmax(1) + start
        for mine, (start, end) in zip(torch.split(words, counts), pairwise(starts), strict=True)
        if len(mine)
    ]
    tokens = torch.cat(winners) if winners else words
    values, shape = gradient[texts, words].to(weight.dtype), (len(hidden), len(weight))
    return torch.sparse_coo_tensor(torch.stack([tokens, words]), values, shape, check_invariants=False)
