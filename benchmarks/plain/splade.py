"""The script that a sentence replaces: a SPLADE model on pairs, written as the library's training guide has it.

    python benchmarks/plain/splade.py DATA OUTPUT MODEL STEPS

DATA holds train, validation and test.parquet with the columns anchor and positive. Trains STEPS steps of 16 pairs, with one
evaluation at the end, and writes the losses that were logged.
"""

import json
import logging
import sys
from pathlib import Path

from datasets import load_dataset
from sentence_transformers import SparseEncoder, SparseEncoderTrainer, SparseEncoderTrainingArguments
from sentence_transformers.base.modules import Transformer
from sentence_transformers.base.sampler import BatchSamplers
from sentence_transformers.sparse_encoder.losses import SparseMultipleNegativesRankingLoss, SpladeLoss
from sentence_transformers.sparse_encoder.modules import SpladePooling
from transformers import set_seed

logging.basicConfig(format="%(asctime)s - %(message)s", level=logging.INFO)
data, output, name, steps = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
set_seed(12)

# 1. The model
model = SparseEncoder(modules=[Transformer(name, transformer_task="fill-mask"), SpladePooling("max")], device="cpu")
model.max_seq_length = 128

# 2. The data
rows = load_dataset("parquet", data_files={"train": str(data / "train.parquet")})["train"]

# 3. Training
loss = SpladeLoss(
    model,
    loss=SparseMultipleNegativesRankingLoss(model),
    query_regularizer_weight=5e-5,
    document_regularizer_weight=3e-5,
)
arguments = SparseEncoderTrainingArguments(
    output_dir=output,
    max_steps=steps,
    per_device_train_batch_size=16,
    learning_rate=2e-5,
    warmup_steps=0.1,
    batch_sampler=BatchSamplers.NO_DUPLICATES,
    save_strategy="no",
    logging_steps=1,
    report_to="none",
    seed=12,
)
trainer = SparseEncoderTrainer(model=model, args=arguments, train_dataset=rows, loss=loss)
trainer.train()
print(json.dumps({"losses": [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]}))
