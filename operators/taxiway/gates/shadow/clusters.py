"""Confidence intervals for rows that come in clusters, such as the rows of a request: rows of one cluster are alike."""

from collections.abc import Sequence

from taxiway.stats.binomial import limits

_ENOUGH = 5
"""With fewer clusters that have the rarer outcome, the variance between clusters cannot be estimated: they are worth one row each."""


def clustered_mean(sums: Sequence[float], sizes: Sequence[int], confidence: float) -> tuple[float, float, float]:
    """The mean over all rows with its interval; clusters of one row give Student's interval.

    The mean is a ratio of two totals over the clusters, whose variance is linearized (Cochran 1977, Sampling Techniques, 6.3).

    Args:
        sums: The sum of the values of each cluster.
        sizes: The number of rows of each cluster, at least 1; there are two clusters or more.
        confidence: The confidence level, such as 0.99.

    Returns:
        The mean, and the lower and the upper end of its interval.
    """
    from scipy.stats import t

    mean = sum(sums) / sum(sizes)
    half = float(t.ppf((1 + confidence) / 2, len(sizes) - 1)) * _variance(mean, sums, sizes) ** 0.5
    return mean, mean - half, mean + half


def clustered_proportion(hits: Sequence[int], sizes: Sequence[int], confidence: float) -> tuple[float, float]:
    """The interval of a proportion of rows; clusters of one row give the exact binomial one (Clopper and Pearson 1934).

    Otherwise it is that of Korn and Graubard (1998, Survey Methodology 24:193): the binomial one for as many independent rows as the
    clusters are worth. If few clusters have the rarer outcome, they are worth one row each.

    Args:
        hits: How many rows of each cluster count.
        sizes: The number of rows of each cluster, at least 1; there is at least one cluster.
        confidence: The confidence level, such as 0.99.

    Returns:
        The lower and the upper end of the interval.
    """
    return limits(sum(hits) / sum(sizes), _effective_rows(hits, sizes, confidence), confidence)


def _effective_rows(hits: Sequence[int], sizes: Sequence[int], confidence: float) -> float:
    """The number of independent rows that the clusters are worth, at least 1 and at most the number of rows."""
    from scipy.stats import t

    total, clusters = sum(sizes), len(sizes)
    share = sum(hits) / total
    if total == clusters:
        return total
    hit_clusters = sum(hit / size for hit, size in zip(hits, sizes, strict=True))
    rarer = min(hit_clusters, clusters - hit_clusters)
    if clusters == 1 or share in (0, 1):
        return clusters
    variance = _variance(share, hits, sizes)
    worth = min(share * (1 - share) / variance, total) if variance else total
    quantile = (1 + confidence) / 2
    for_few_clusters = (float(t.ppf(quantile, total - 1)) / float(t.ppf(quantile, clusters - 1))) ** 2
    worth = max(worth * for_few_clusters, 1.0)
    return min(worth, clusters) if rarer < _ENOUGH else worth


def _variance(mean: float, sums: Sequence[float], sizes: Sequence[int]) -> float:
    """The variance of a mean over the rows of at least two clusters."""
    squares = sum((of_cluster - mean * size) ** 2 for of_cluster, size in zip(sums, sizes, strict=True))
    return squares * len(sizes) / (len(sizes) - 1) / sum(sizes) ** 2
