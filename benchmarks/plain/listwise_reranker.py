"""The script that a sentence replaces: a cross-encoder on lists of documents, written as the library's training guide has it.

    python benchmarks/plain/listwise_reranker.py DATA OUTPUT MODEL

DATA holds train, validation and test.parquet with the columns anchor, documents and relevance. Scores the untouched model, trains
with Lambda loss, an evaluation and a checkpoint every fifth of the steps, loads the best one, scores it and saves it.
"""

import json
import logging
import sys
from pathlib import Path

import torch
from datasets import load_dataset
from sentence_transformers import CrossEncoder, CrossEncoderTrainer, CrossEncoderTrainingArguments
from sentence_transformers.cross_encoder import CrossEncoderModelCardData
from sentence_transformers.cross_encoder.evaluation import CrossEncoderRerankingEvaluator
from sentence_transformers.cross_encoder.losses import LambdaLoss
from transformers import set_seed

logging.basicConfig(format="%(asctime)s - %(message)s", level=logging.INFO)
data, output, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
set_seed(12)

# 1. The model
model = CrossEncoder(
    name,
    num_labels=1,
    max_length=96,
    activation_fn=torch.nn.Identity(),
    device="cpu",
    model_card_data=CrossEncoderModelCardData(model_name="MiniLM on lists of Python documentation"),
).float()

# 2. The data
splits = ("train", "validation", "test")
rows = load_dataset("parquet", data_files={split: str(data / f"{split}.parquet") for split in splits})


def evaluator(split):
    samples = [
        {
            "query": row["anchor"],
            "positive": [text for text, grade in zip(row["documents"], row["relevance"], strict=True) if grade > 0],
            "documents": row["documents"],
        }
        for row in rows[split]
    ]
    return CrossEncoderRerankingEvaluator(samples, at_k=10, name=split, always_rerank_positives=False)


validation, test = evaluator("validation"), evaluator("test")
train = rows["train"].rename_column("relevance", "labels")

# 3. The untouched model
before = test(model)
validation(model)

# 4. Training
arguments = CrossEncoderTrainingArguments(
    output_dir=output,
    num_train_epochs=1,
    per_device_train_batch_size=8,
    learning_rate=2e-4,
    warmup_steps=0.1,
    eval_strategy="steps",
    eval_steps=0.2,
    save_strategy="steps",
    save_steps=0.2,
    save_total_limit=2,
    load_best_model_at_end=True,
    metric_for_best_model="eval_validation_ndcg@10",
    logging_steps=0.01,
    report_to="none",
    seed=12,
)
trainer = CrossEncoderTrainer(
    model=model, args=arguments, train_dataset=train, loss=LambdaLoss(model), evaluator=validation
)
trainer.train()

# 5. The trained model
after = test(model)
model.save_pretrained(f"{output}/final")
key = "test_ndcg@10"
print(json.dumps({"baseline": before[key], "score": after[key]}))
