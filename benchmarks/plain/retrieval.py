"""The script that a sentence replaces: the retrieval score of a model on a collection, as the library's documentation has it.

    python benchmarks/plain/retrieval.py DATA OUTPUT MODEL

DATA holds corpus.jsonl, queries.jsonl and qrels/test.tsv in BEIR's layout.
"""

import json
import logging
import sys
from collections import defaultdict
from pathlib import Path

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

logging.basicConfig(format="%(asctime)s - %(message)s", level=logging.INFO)
data, name = Path(sys.argv[1]), sys.argv[3]


def texts(file):
    return {row["_id"]: row["text"] for row in map(json.loads, (data / file).read_text().splitlines())}


relevant = defaultdict(set)
for line in (data / "qrels" / "test.tsv").read_text().splitlines()[1:]:
    query, document, _ = line.split("\t")
    relevant[query].add(document)

model = SentenceTransformer(name, device="cpu").float()
model.max_seq_length = 128
evaluator = InformationRetrievalEvaluator(texts("queries.jsonl"), texts("corpus.jsonl"), relevant, name="test")
print(json.dumps({"score": evaluator(model)["test_cosine_ndcg@10"]}))
