"""Shadow: deploys the challenger beside the champion on mirrored live requests, and compares their answers."""

from taxiway.stages.shadow.stage import Wait, begin_shadow, failure_reason, finish_shadow, record_shadow

__all__ = ["Wait", "begin_shadow", "failure_reason", "finish_shadow", "record_shadow"]
