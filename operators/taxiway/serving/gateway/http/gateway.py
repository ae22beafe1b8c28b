"""The served models of a gateway, with what they share: the request log, the callers and the metrics."""

import asyncio
import logging
from dataclasses import replace

from taxiway.errors import RequestError
from taxiway.messages import listed, quoted
from taxiway.serving.api import ModelStatus
from taxiway.serving.callers import Caller, Scope
from taxiway.serving.gateway.http.body_reader import BodyReader
from taxiway.serving.gateway.http.failures import Failures
from taxiway.serving.gateway.http.known_callers import KnownCallers
from taxiway.serving.gateway.http.limits import CallerLimits
from taxiway.serving.gateway.metrics import GatewayMetrics, ModelGauges
from taxiway.serving.gateway.models.served_model import ServedModel
from taxiway.serving.gateway.models.versions import ModelVersions
from taxiway.serving.gateway.openapi.document import DescribedModel
from taxiway.serving.gateway.openapi.model_inputs import ModelInputs, read_model_inputs
from taxiway.serving.gateway.registry_lookup import RegisteredVersion
from taxiway.serving.gateway.rolling.schedule import RollSchedule
from taxiway.serving.gateway.rolling.settings import store_settings
from taxiway.serving.gateway.settings import GatewaySettings
from taxiway.serving.gateway.state.request_log import RequestLog
from taxiway.serving.gateway.state.served import ServedState
from taxiway.serving.workers.background import BackgroundProcess

log = logging.getLogger(__name__)

_MAX_NAME = 256  # MLflow's own limit
_HIDDEN = "there is a problem, which callers with the scope admin see here"


class Gateway:
    """The served models of a gateway.

    Args:
        settings: The settings of the gateway.
        callers: Its callers.
        metrics: Its metrics.
    """

    def __init__(self, settings: GatewaySettings, callers: KnownCallers, metrics: GatewayMetrics) -> None:
        self.settings = settings
        self.log = RequestLog(settings.state_folder, settings.keep_rows, settings.keep_bytes)
        store_settings(settings.state_folder, settings.roll_settings)
        self.rolls = RollSchedule(settings.state_folder, settings.roll_every_s, self.log.read_all)
        self.matching = BackgroundProcess()
        """Matches labels with predictions."""
        self.matching_turn = asyncio.Lock()
        self.labels_waiting = 0
        self.bodies = BodyReader(settings.body_limits)
        self.callers = callers
        self.limits = CallerLimits(settings.state_folder)
        self.failures = Failures(private=bool(settings.omit_columns or settings.hash_columns))
        self.metrics = metrics
        metrics.follow(self._gauges)
        self._state = ServedState(settings.state_folder)
        self._versions = ModelVersions(settings)
        self._models: dict[str, ServedModel] = {}
        self._described: dict[str, tuple[RegisteredVersion, DescribedModel]] = {}
        self._not_seen = {*settings.roll_settings.omit_columns, *settings.roll_settings.hash_columns}
        """The private columns, until it is known which of them the models take."""
        self._watching: list[asyncio.Task[None]] = []
        for name in dict.fromkeys((*settings.models, *self._state.models)):
            self._serve(name)
        not_served = sorted(settings.model_limits.keys() - self._models)
        if not_served:
            log.warning(
                "there are limits for %s, which are not served yet; served: %s", listed(not_served), listed(self._models)
            )
        self._watching.append(asyncio.create_task(self._watch_shared()))
        self._watching.append(asyncio.create_task(self.rolls.watch()))

    async def stop(self) -> None:
        """End all processes, then close the log."""
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        await asyncio.gather(*(model.close() for model in self._models.values()))
        self.bodies.close()
        self.matching.close()
        self._versions.close()
        self.limits.store()
        await asyncio.to_thread(self.log.close)

    @property
    def models(self) -> list[ServedModel]:
        """The served models, ordered by name."""
        return [self._models[name] for name in sorted(self._models)]

    def models_of(self, caller: Caller) -> list[ServedModel]:
        """The served models that a caller may use, ordered by name."""
        return [model for model in self.models if caller.may_call(model.name)]

    def model(self, name: str, caller: Caller) -> ServedModel:
        """A served model.

        Raises:
            RequestError: 403 if the caller may not use it, whether or not it is served. 404 if it is not served; the message names the
                models that the caller may use.
        """
        if not caller.may_call(name):
            raise RequestError(
                403, f"the caller {caller.name} may not use the model {quoted(name)}; allowed: {listed(caller.models)}"
            )
        if name not in self._models:
            hint = "; to serve a model: POST /models/NAME/refresh" if caller.may(Scope.ADMIN) else ""
            raise RequestError(404, f"{quoted(name)} is not served here; served: {self._names(caller)}{hint}")
        return self._models[name]

    def only_model(self, caller: Caller) -> ServedModel:
        """The model that a caller means who does not name one: the only served one that it may use.

        Raises:
            RequestError: 404 if there is none, or several.
        """
        own = self.models_of(caller)
        if len(own) != 1:
            raise RequestError(
                404,
                f"/invocations needs exactly one served model; served: {self._names(caller)}; use /models/NAME/invocations",
            )
        return own[0]

    async def refresh(self, name: str, caller: Caller) -> ModelStatus:
        """Look up the champion of a model now; a model that is not served yet is added.

        Raises:
            RequestError: 400 if the name cannot be that of a model, 404 if the registry has no such model.
            TransientError: The registry does not answer.
        """
        if name not in self._models:
            if not name.isprintable() or len(name) > _MAX_NAME:
                raise RequestError(400, f"{quoted(name)} is not a model; allowed: at most {_MAX_NAME} printable characters")
            await self._versions.champion(name, self._state.of(name).position)
            await self._state.follow(name)
            self._serve(name)
        model = self._models[name]
        await model.champion.refresh()
        return await self.status(model, caller)

    async def status(self, model: ServedModel, caller: Caller) -> ModelStatus:
        """The status of a model, with its problems and those that all models share.

        Only admins see what the problems are, who promoted the champion and why, and the challenger.
        """
        status = await model.status()
        problem = "; ".join(filter(None, (status.problem, *self._shared_problems())))
        if caller.may(Scope.ADMIN):
            return status.model_copy(update={"problem": problem})
        hidden = {"problem": _HIDDEN if problem else "", "promotion": "", "plan": "", "challenger": None}
        return status.model_copy(update=hidden)

    def _shared_problems(self) -> list[str]:
        """The problems that all models share."""
        parts = (self.log, self.rolls, self.bodies, self.callers, self.limits)
        return [part.problem for part in parts if part.problem]

    def _gauges(self) -> list[ModelGauges]:
        shared = bool(self._shared_problems())
        gauges = [model.gauges() for model in self.models]
        return [replace(each, has_problem=True) for each in gauges] if shared else gauges

    async def described(self, model: ServedModel) -> DescribedModel:
        """A model for the OpenAPI document, with the inputs of the version that answers."""
        champion = model.champion.current
        if champion is None:
            return DescribedModel(model.name)
        version = champion.version
        known = self._described.get(model.name)
        if known is None or known[0] != version:
            copy = await self._versions.saved(model.name, version.version)
            types = champion.server.columns.types if champion.server.columns else {}
            dates = [name for name, kind in types.items() if kind == "date"]
            inputs = await asyncio.to_thread(read_model_inputs, copy[1].folder, dates) if copy else ModelInputs()
            known = version, DescribedModel(model.name, version.version, inputs, version.classes, version.threshold)
            self._described[model.name] = known
        return known[1]

    def _serve(self, name: str) -> None:
        if name not in self._models:
            settings = self.settings.of_model(name)
            self._models[name] = ServedModel(name, settings, self.log, self._state, self._versions, self.metrics)
            self._watching.append(asyncio.create_task(self._models[name].watch()))

    async def _watch_shared(self) -> None:
        """Follow changes of the callers, store what they have used, and check the log, about every `poll_s` seconds."""
        while True:
            try:
                self.log.probe()
                self.callers.reload()
                await asyncio.to_thread(self.limits.store)
                self._warn_of_unknown_columns()
            except Exception:  # this task has to continue
                log.exception("the callers or the request log could not be checked; this is tried again")
            await asyncio.sleep(self.settings.poll_s)

    def _warn_of_unknown_columns(self) -> None:
        """Warn of private columns that no model takes, once all models are loaded: a name may be mistyped."""
        taken = [champion.server.columns for model in self.models if (champion := model.champion.current)]
        if not self._not_seen or not taken or len(taken) < len(self._models) or None in taken:
            return
        known = {name for columns in taken if columns for name in (*columns.names, *columns.renamed)}
        unknown, self._not_seen = sorted(self._not_seen - known), set()
        if unknown:
            log.warning(
                "no served model takes %s, which --hash-column or --omit-column names; only requests with such a column in addition are affected. "
                "Check the spelling: what is misspelled is logged as it is",
                listed(unknown),
            )

    def _names(self, caller: Caller) -> str:
        return listed([model.name for model in self.models_of(caller)]) or "none"
