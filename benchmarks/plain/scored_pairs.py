"""The script that a sentence replaces: a bi-encoder on scored pairs, written as the library's training guide has it.

    python benchmarks/plain/scored_pairs.py DATA OUTPUT MODEL

DATA holds train, validation and test.csv with the columns sentence1, sentence2 and score (0 to 5), as the STS Benchmark has
them. Scores the untouched model, trains one epoch with an evaluation and a checkpoint every fifth of the steps, loads the best
one, scores it and saves it.
"""

import json
import logging
import sys
from pathlib import Path

from datasets import load_dataset
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerModelCardData,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer.evaluation import EmbeddingSimilarityEvaluator, SimilarityFunction
from sentence_transformers.sentence_transformer.losses import CoSENTLoss

logging.basicConfig(format="%(asctime)s - %(message)s", level=logging.INFO)
data, output, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

# 1. The model
model = SentenceTransformer(
    name, device="cpu", model_card_data=SentenceTransformerModelCardData(model_name="MiniLM on the STS Benchmark")
).float()
model.max_seq_length = 128

# 2. The data
splits = ("train", "validation", "test")
rows = load_dataset("csv", data_files={split: str(data / f"{split}.csv") for split in splits})
rows = rows.map(lambda row: {"score": row["score"] / 5})


def evaluator(split):
    return EmbeddingSimilarityEvaluator(
        sentences1=rows[split]["sentence1"],
        sentences2=rows[split]["sentence2"],
        scores=rows[split]["score"],
        main_similarity=SimilarityFunction.COSINE,
        name=split,
    )


validation, test = evaluator("validation"), evaluator("test")

# 3. The untouched model
before = test(model)
validation(model)

# 4. Training
arguments = SentenceTransformerTrainingArguments(
    output_dir=output,
    num_train_epochs=1,
    per_device_train_batch_size=16,
    learning_rate=2e-5,
    warmup_steps=0.1,
    eval_strategy="steps",
    eval_steps=0.2,
    save_strategy="steps",
    save_steps=0.2,
    save_total_limit=2,
    load_best_model_at_end=True,
    metric_for_best_model="eval_validation_spearman_cosine",
    logging_steps=0.01,
    report_to="none",
    seed=12,
)
trainer = SentenceTransformerTrainer(
    model=model,
    args=arguments,
    train_dataset=rows["train"],
    loss=CoSENTLoss(model),
    evaluator=validation,
)
trainer.train()

# 5. The trained model
after = test(model)
model.save_pretrained(f"{output}/final")
key = "test_spearman_cosine"
print(json.dumps({"baseline": before[key], "score": after[key]}))
