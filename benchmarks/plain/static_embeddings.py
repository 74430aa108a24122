"""The script that a sentence replaces: static embeddings on pairs, written as the library's training guide has it.

    python benchmarks/plain/static_embeddings.py DATA OUTPUT LEARNING_RATE BATCH_SIZE

DATA holds train, validation and test.parquet with the columns anchor and positive. Scores the untouched model, trains with an
evaluation and a checkpoint every fifth of the steps, loads the best one, scores it and saves it.
"""

import json
import logging
import sys
from pathlib import Path

import wordllama
from datasets import load_dataset
from safetensors.torch import load_file
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerModelCardData,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.base.sampler import BatchSamplers
from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer

logging.basicConfig(format="%(asctime)s - %(message)s", level=logging.INFO)
data, output, learning_rate, batch_size = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4])

# 1. The model
package = Path(wordllama.__file__).parent
(weights,) = load_file(next(package.glob("weights/*256.safetensors"))).values()
tokenizer = Tokenizer.from_file(str(next(package.glob("tokenizers/*.json"))))
model = SentenceTransformer(
    modules=[StaticEmbedding(tokenizer, embedding_weights=weights)],
    device="cpu",
    model_card_data=SentenceTransformerModelCardData(model_name="Static embeddings of Python documentation"),
).float()

# 2. The data
rows = load_dataset(
    "parquet", data_files={name: str(data / f"{name}.parquet") for name in ("train", "validation", "test")}
)


def evaluator(split):
    queries = {str(number): text for number, text in enumerate(rows[split]["anchor"])}
    corpus = {str(number): text for number, text in enumerate(rows[split]["positive"])}
    relevant = {number: {number} for number in queries}
    return InformationRetrievalEvaluator(queries, corpus, relevant, name=split)


validation, test = evaluator("validation"), evaluator("test")

# 3. The untouched model
before = test(model)
validation(model)

# 4. Training
arguments = SentenceTransformerTrainingArguments(
    output_dir=output,
    num_train_epochs=3,
    per_device_train_batch_size=batch_size,
    learning_rate=learning_rate,
    warmup_steps=0.1,
    batch_sampler=BatchSamplers.NO_DUPLICATES,
    eval_strategy="steps",
    eval_steps=0.2,
    save_strategy="steps",
    save_steps=0.2,
    save_total_limit=2,
    load_best_model_at_end=True,
    metric_for_best_model="eval_validation_cosine_ndcg@10",
    logging_steps=0.01,
    report_to="none",
    seed=12,
)
trainer = SentenceTransformerTrainer(
    model=model,
    args=arguments,
    train_dataset=rows["train"],
    loss=MultipleNegativesRankingLoss(model),
    evaluator=validation,
)
trainer.train()

# 5. The trained model
after = test(model)
model.save_pretrained(f"{output}/final")
key = "test_cosine_ndcg@10"
print(json.dumps({"baseline": before[key], "score": after[key]}))
