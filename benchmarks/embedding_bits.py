"""How often the ten nearest clips stay the same where embeddings have fewer bits.

    python benchmarks/embedding_bits.py ESC_DIR --yamnet yamnet.tflite [--folds 1 2 3 4]

YAMNet's embeddings of the clips as float32, in the square roots and the principal space in which clips are compared,
are the reference. Against it: embeddings kept as float16, rows of the index as the product writes them (sixteen bits of
fixed point), both, and rows of eight bits with one scale for all. It prints the share of the ten nearest that is found.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from pathlib import Path

import numpy as np

from labeltool.audio import files
from labeltool.audio.descriptors import hellinger_embeddings
from labeltool.pretrained.probe import open_model
from labeltool.records import StoredClip
from labeltool.similarity.index import NeighbourIndex, PrincipalSpace
from labeltool.type_aliases import Float32, Int64

NEAREST = 10


def nearest(rows: Float32) -> Int64:
    """Return the ten nearest other rows of each row."""
    squares = (rows.astype(np.float64) ** 2).sum(axis=1)
    distances = squares[:, None] + squares - 2 * rows.astype(np.float64) @ rows.T.astype(np.float64)
    np.fill_diagonal(distances, np.inf)
    return np.argsort(distances, axis=1, kind="stable")[:, :NEAREST]


def recall(found: Int64, wanted: Int64) -> float:
    """Return the share of the wanted rows that was found."""
    return float(np.mean([np.isin(one, other).mean() for one, other in zip(wanted, found, strict=True)]))


def main() -> None:
    """Embed the clips and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("esc", type=Path)
    parser.add_argument("--yamnet", type=Path, required=True)
    parser.add_argument("--folds", type=int, nargs="+", default=[1, 2, 3, 4])
    options = parser.parse_args()
    model = open_model(options.yamnet, embedding=True)
    with (options.esc / "meta" / "esc50.csv").open(newline="") as table:
        names = [row["filename"] for row in csv.DictReader(table) if int(row["fold"]) in options.folds]
    there = {path.stem: path for path in (options.esc / "audio").iterdir()}
    paths = [there[Path(name).stem] for name in names if Path(name).stem in there]
    embeddings = np.stack([model.embed(files.read_pcm(path, 0.0, 5.0, model.card.rate_hz)) for path in paths])
    features = hellinger_embeddings(embeddings).astype(np.float32)
    halved = hellinger_embeddings(embeddings.astype(np.float16).astype(np.float32)).astype(np.float32)
    space = PrincipalSpace.fit(features)
    rows, half_rows = ((some - space.mean) @ space.axes for some in (features, halved))
    wanted = nearest(rows)
    clips = [StoredClip(n, n, "", f"{n:064x}", 0.0, 5.0, None, "") for n in range(len(rows))]
    print(f"{len(rows)} clips, {space.axes.shape[1]} axes\n\n| kept as | recall of the ten nearest |\n| --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for name, some in (("float32 and int16 rows", features), ("float16 and int16 rows", halved)):
            index = NeighbourIndex.make(Path(folder) / name, space)
            index.append(clips, some)
            print(f"| {name} | {recall(nearest(index.rows(np.arange(len(rows)))), wanted):.4f} |")
    step = np.abs(rows).max() / 127
    print(f"| float16 and float32 rows | {recall(nearest(half_rows), wanted):.4f} |")
    eight_bits = np.rint(half_rows / step).astype(np.float32)
    print(f"| float16 and int8 rows | {recall(nearest(eight_bits), wanted):.4f} |")


if __name__ == "__main__":
    main()
