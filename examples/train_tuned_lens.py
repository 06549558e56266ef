"""Trains a tuned lens: for each point of the residual stream the affine map that comes closest to the final one.

    python examples/train_tuned_lens.py --out tuned.npz
    atlas-viewer lens "Once upon a time" --lens-file tuned.npz

The model writes the texts itself. Each map h W^T + b is the ridge regression from the stream at its point to the stream
at the last point, with the identity as its center. On texts that the regression has not seen, the script compares the
Kullback-Leibler divergence KL(model || lens) with that of the logit lens. Belrose et al. (2023, arXiv:2303.08112) train
by gradient descent on the divergence itself; the regression needs no gradients and takes seconds.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

import atlas_viewer as av

STARTS = ("Once upon a time", "One day", "There was", "The little", "In the", "Tom and", "She", "It was a")
TOKENS = 48  # of each text


def texts(model: av.Model, count: int) -> list[list[int]]:
    """Texts that the model writes, as token ids of equal length."""
    written = []
    for seed in range(count):
        start = model.tokenizer.encode(STARTS[seed % len(STARTS)])
        made = model.generate(start, max_new_tokens=TOKENS - len(start), temperature=1.0, seed=seed, top=0)
        if len(made.tokens) == TOKENS:  # it may have ended early
            written.append(made.tokens)
    return written


def streams(model: av.Model, batch: list[list[int]]) -> dict[str, np.ndarray]:
    """The residual stream of all tokens at every point, [tokens, C]."""
    points = model.lens(batch[0][:1], top=1).points
    runs = model.run(batch, keep=points, rows="all")
    return {point: np.concatenate([run[point] for run in runs]).astype(np.float64) for point in points}


def fitted(x: np.ndarray, y: np.ndarray, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    """weight [C, C] and bias [C] with x W^T + b close to y: the identity plus a correction that ridge keeps small."""
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    centered, error = x - x_mean, (y - y_mean) - (x - x_mean)
    gram = centered.T @ centered
    gram += ridge * np.trace(gram) / len(gram) * np.eye(len(gram))
    weight = np.eye(len(gram)) + np.linalg.solve(gram, centered.T @ error).T
    return weight.astype(np.float32), (y_mean - weight @ x_mean).astype(np.float32)


class Head:
    """The final norm and the head of a GPT-2 model."""

    def __init__(self, model: av.Model) -> None:
        weights = model.weights
        self.scale, self.shift = weights["ln_f.weight"], weights["ln_f.bias"]
        self.matrix = weights["wte"][: model.config.vocabulary]

    def log_probabilities(self, stream: np.ndarray) -> np.ndarray:
        """[tokens, vocabulary]"""
        centered = stream - stream.mean(axis=1, keepdims=True)
        normed = centered / np.sqrt((centered**2).mean(axis=1, keepdims=True) + 1e-5) * self.scale + self.shift
        logits = normed.astype(np.float32) @ self.matrix.T
        logits -= logits.max(axis=1, keepdims=True)
        result: np.ndarray = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return result


def divergence(model: np.ndarray, lens: np.ndarray) -> float:
    """KL(model || lens) in nats, the mean over tokens, of two arrays of log probabilities."""
    return float((np.exp(model) * (model - lens)).sum(axis=1).mean())


def train(model: av.Model, count: int, ridge: float) -> tuple[dict[str, np.ndarray], list[tuple[str, float, float]]]:
    """The arrays of the lens, and for each point the divergence of logit lens and tuned lens on unseen texts."""
    written = texts(model, count)
    unseen = written[: max(1, len(written) // 8)]
    seen, test = streams(model, written[len(unseen) :]), streams(model, unseen)
    head, last = Head(model), list(seen)[-1]
    exact = head.log_probabilities(test[last])
    arrays, losses = {}, []
    for point in list(seen)[:-1]:
        weight, bias = fitted(seen[point], seen[last], ridge)
        arrays |= {f"{point}.weight": weight, f"{point}.bias": bias}
        plain = divergence(exact, head.log_probabilities(test[point]))
        tuned = divergence(exact, head.log_probabilities(test[point] @ weight.T + bias))
        losses.append((point, plain, tuned))
    return arrays, losses


def main() -> int:
    """Train, print the divergences, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="stories", help="a GPT-2 model (default stories)")
    parser.add_argument("--texts", type=int, default=32, help="how many texts the model writes (default 32)")
    parser.add_argument("--ridge", type=float, default=0.05, help="weight of the penalty (default 0.05)")
    parser.add_argument("--out", type=Path, required=True, metavar="F.npz", help="the lens file to write")
    arguments = parser.parse_args()
    model = av.load(arguments.model, context=8 * TOKENS)
    arrays, losses = train(model, arguments.texts, arguments.ridge)
    print(f"{'point':16} logit lens  tuned lens   (KL in nats on unseen texts)")
    for point, plain, tuned in losses:
        print(f"{point:16} {plain:10.3f}  {tuned:10.3f}")
    np.savez(arguments.out, **arrays)
    return 0


if __name__ == "__main__":
    sys.exit(main())
