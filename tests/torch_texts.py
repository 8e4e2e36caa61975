"""Runs in the Python that has torch: what language models write, always the likeliest token.

python -P torch_texts.py COUNT TEXTS

TEXTS: JSON, {folder of a checkpoint: [tokens of a text, ...]}. Prints the same with the new tokens of each, without
those that it began with.
"""

from __future__ import annotations

import json
import sys


def main(count: str, given: str) -> None:
    print(json.dumps({folder: written(folder, int(count), texts) for folder, texts in json.loads(given).items()}))


def written(folder: str, count: int, texts: list[list[int]]) -> list[list[int]]:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    translates = AutoConfig.from_pretrained(folder, local_files_only=True).is_encoder_decoder
    kind = AutoModelForSeq2SeqLM if translates else AutoModelForCausalLM
    model = kind.from_pretrained(folder, local_files_only=True, torch_dtype=torch.float32).eval()
    forced = model.generation_config.forced_bos_token_id is not None
    rules = {"max_new_tokens": count + forced, "do_sample": False, "num_beams": 1}
    written = [model.generate(torch.tensor([text]), **rules)[0].tolist() for text in texts]
    return [after[1 + forced if translates else len(text) :] for text, after in zip(texts, written, strict=True)]


if __name__ == "__main__":
    main(*sys.argv[1:])
