"""Review: which verdicts are re-opened by what became known after them, and what the model gate would decide today.

It only reads, except for `show_scores`.
"""

from taxiway.stages.review.news import News, news
from taxiway.stages.review.pipeline import PipelineReview
from taxiway.stages.review.reopened import Reopening
from taxiway.stages.review.scores import show_scores
from taxiway.stages.review.second_decision import SecondDecision, decide_again
from taxiway.stages.review.versions import Review, ReviewedVersion, Standing, review, review_versions, versions_of

__all__ = [
    "News",
    "PipelineReview",
    "Reopening",
    "Review",
    "ReviewedVersion",
    "SecondDecision",
    "Standing",
    "decide_again",
    "news",
    "review",
    "review_versions",
    "show_scores",
    "versions_of",
]
