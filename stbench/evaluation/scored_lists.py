"""Lists with a teacher's scores: how well the student's scores follow them, query by query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stbench.evaluation.recording import Watched, recording

if TYPE_CHECKING:
    from sentence_transformers.base.evaluation import BaseEvaluator


def per_scored_list(base: type[BaseEvaluator]) -> type[Any]:
    """Rank correlation and Kullback-Leibler divergence of every list.

    Where the student gives all documents of a list the same score the library leaves the query out of its mean;
    here it counts as no correlation, so that both models are judged by the same queries.
    """

    class PerScoredList(recording(base)):  # type: ignore[misc]
        def watched(self, model: Any) -> Any:
            return Watched(model, "similarity_pairwise")

        def kept(self, model: Any, metrics: dict[str, float]) -> None:
            import torch
            from scipy.stats import spearmanr

            student = torch.stack([column.float().cpu() for column in model.results], dim=1)
            of_student = torch.log_softmax(student / self.student_temperature, dim=-1)
            of_teacher = torch.log_softmax(self.scores / self.teacher_temperature, dim=-1)
            divergence = (of_teacher.exp() * (of_teacher - of_student)).sum(dim=-1) * self.student_temperature**2
            self.outcomes["kl_divergence"] = divergence.numpy().astype(np.float64)
            rows = zip(self.scores.numpy(), student.numpy(), strict=True)
            values = [0.0 if np.ptp(mine) == 0 else spearmanr(teacher, mine)[0] for teacher, mine in rows]
            self.outcomes["spearman"] = np.array(values, dtype=np.float64)
            metrics[f"{self.name}_spearman"] = float(np.mean(values))

    return PerScoredList
