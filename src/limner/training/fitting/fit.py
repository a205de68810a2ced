"""The training loop: Lightning's, with chance, checkpoints and time in our own hands.

What happens in a batch follows from the run's seed and the number of the batch alone, so that a run that
was killed goes on from its last checkpoint along the same curve.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import Tensor, nn
from torch.utils.data import DataLoader

from limner.core.errors import TrainingError
from limner.training.architectures.protocol import Architecture, Learner
from limner.training.config import RunConfig
from limner.training.data.pictures import PictureCache
from limner.training.data.samples import Augment, Batch, PageSamples, collate
from limner.training.datasets.dataset import Dataset
from limner.training.evaluation.evaluation import Evaluation
from limner.training.fitting.averaging import MovingAverage
from limner.training.fitting.batches import Batches, batches_per_epoch
from limner.training.fitting.checkpoints import load_checkpoint, save_checkpoint
from limner.training.fitting.folder import MetricsLog, RunFolder
from limner.training.fitting.schedule import Length, learning_rate, length_of
from limner.training.fitting.validation import pictures, validate, weights

#: Bytes of scaled images that are kept beside a run.
_CACHE = 8_000_000_000
#: Lines in the log for each epoch, about.
_LINES = 20
#: Pages on the sheet that is drawn after each epoch.
_SHEET = 6
#: Batches where only time ends a run.
_ENDLESS = 10**9


@dataclass(slots=True)
class Progress:
    """How far a run is: what a checkpoint holds besides weights."""

    #: Batches done, and the seconds that they took.
    batch: int = 0
    seconds: float = 0.0
    #: The best figure on the validation pages so far, and the epoch of it, counted from 1.
    best: float = -1.0
    best_epoch: int = 0
    #: Sums of the losses since the last line of the log, and of how many batches.
    sums: dict[str, float] = field(default_factory=dict)
    counted: int = 0


@dataclass(frozen=True, slots=True)
class FitResult:
    """How it ended."""

    status: Literal["finished", "stopped"]
    progress: Progress
    #: Figures on the validation pages of the weights that are kept; None where there are no such pages.
    evaluation: Evaluation | None


class Fitting(pl.LightningModule):
    """A network on its way. Lightning calls it batch by batch."""

    def __init__(self, task: FitTask) -> None:
        super().__init__()
        self.learner = cast("nn.Module", task.learner)
        self.task = task
        self.progress = Progress()
        self.average = MovingAverage(self.learner, task.config.ema)
        self._last_save = self._began = time.monotonic()
        self._clock = 0.0
        self._saved: dict[str, Any] | None = None

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from a checkpoint; the optimiser follows when there is one."""
        self.progress = Progress(**saved["progress"])
        self.learner.load_state_dict(saved["weights"])
        self.average.restore(saved["average"])
        self._saved = saved

    # What follows is called by Lightning.

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW; biases and normalisation are not drawn to 0."""
        config = self.task.config
        learning = [each for each in self.learner.parameters() if each.requires_grad]
        groups = [
            {"params": [each for each in learning if each.ndim > 1], "weight_decay": config.weight_decay},
            {"params": [each for each in learning if each.ndim <= 1], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW([group for group in groups if group["params"]], lr=config.learning_rate)

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches from where the run is."""
        config, length = self.task.config, self.task.length
        batches = Batches(
            pages=len(self.task.train),
            size=config.batch_size,
            total=length.batches or _ENDLESS,
            start=self.progress.batch,
            seed=config.seed,
            process=self.trainer.global_rank,
            processes=self.trainer.world_size,
        )
        return DataLoader(
            self.task.train,
            batch_sampler=batches,
            collate_fn=collate,
            num_workers=config.loaders,
            multiprocessing_context="forkserver" if config.loaders else None,
            pin_memory=torch.cuda.is_available(),
        )

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:  # noqa: ARG002
        """Images and targets on the device that learns."""
        images, targets = batch
        return [each.to(device, non_blocking=True) for each in images], [each.to(device) for each in targets]

    def on_train_start(self) -> None:
        """Take up the optimiser where it was."""
        if self._saved is not None:
            self.trainer.optimizers[0].load_state_dict(self._saved["optimiser"])
            scaler = getattr(self.trainer.precision_plugin, "scaler", None)
            if scaler is not None and self._saved["scaler"] is not None:
                scaler.load_state_dict(self._saved["scaler"])
            self._saved = None
        self._clock = self._last_save = time.monotonic()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        """Set the rate and what chance inside the network begins with."""
        rate = learning_rate(self.task.config, self._done())
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate
        torch.manual_seed(self.task.config.seed * 1_000_003 + self.progress.batch)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:  # noqa: ARG002
        """The loss of a batch."""
        parts = cast("Learner", self.learner).losses(*batch)
        for name, value in parts.items():
            self.progress.sums[name] = self.progress.sums.get(name, 0.0) + value.detach()  # type: ignore[assignment]
        self.progress.counted += 1
        return torch.stack(list(parts.values())).sum()

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:  # noqa: ANN401, ARG002
        """Count, average, log, validate, save; end where it is time."""
        self._tick()
        self.progress.batch += 1
        if self.progress.batch % self.task.config.accumulate == 0:
            self.average.update(self.learner)
        done = self._done() >= 1.0
        if done or self.progress.batch % self.task.log_every == 0:
            self._log_losses()
        if done or self.progress.batch % self.task.per_epoch == 0:
            self._end_epoch()
        if done or self._tired() or self._told_to_stop():
            self.trainer.should_stop = True
        if self.trainer.should_stop or time.monotonic() - self._last_save >= self.task.config.checkpoint_minutes * 60:
            self.save()

    def save(self) -> None:
        """Write a checkpoint."""
        self._last_save = time.monotonic()
        if not self.trainer.is_global_zero:
            return
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        sums = {name: float(value) for name, value in self.progress.sums.items()}
        progress = {name: getattr(self.progress, name) for name in Progress.__dataclass_fields__} | {"sums": sums}
        state = {
            "progress": progress,
            "weights": self.learner.state_dict(),
            "average": self.average.saved(),
            "optimiser": self.trainer.optimizers[0].state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
        }
        save_checkpoint(self.task.folder.checkpoint, state)

    def _done(self) -> float:
        return self.task.length.progress(self.progress.batch, self.progress.seconds)

    def _tick(self) -> None:
        now = time.monotonic()
        self.progress.seconds += now - self._clock
        self._clock = now

    def _log_losses(self) -> None:
        progress = self.progress
        losses = {name: round(float(value) / progress.counted, 6) for name, value in progress.sums.items()}
        total = sum(losses.values())
        if not total < float("inf"):  # neither NaN
            raise TrainingError(
                f"The loss is no number any more, at batch {progress.batch}.", hint="Take a lower learning rate."
            )
        images = progress.counted * self.task.config.batch_size * self.trainer.world_size
        now = time.monotonic()
        speed = images / max(now - self._began, 1e-9)
        self._began = now
        self._log(
            kind="loss",
            loss=round(total, 6),
            losses=losses,
            learning_rate=self.trainer.optimizers[0].param_groups[0]["lr"],
            images_per_second=round(speed, 2),
        )
        progress.sums, progress.counted = {}, 0

    def _end_epoch(self) -> None:
        """Figures on the validation pages; the weights are kept where they are the best so far."""
        if self.task.val is None or not self.trainer.is_global_zero:
            return
        epoch = -(-self.progress.batch // self.task.per_epoch)
        with weights(self.learner, self.average.state()):
            validation = validate(self.learner, self.task.val, masks=self.task.masks)
        figures = validation.evaluation
        figure = figures.coco.ap50 or 0.0
        if figure > self.progress.best:
            self.progress.best, self.progress.best_epoch = figure, epoch
            save_weights(self.task.folder, self.average.state())
        self.task.folder.samples.mkdir(exist_ok=True)
        sheet = pictures(self.task.val, validation, _SHEET, 0.3)
        sheet.save(self.task.folder.samples / f"epoch-{epoch:04}.jpg", quality=85)
        by_label = {each.label: each.ap50 for each in figures.labels}
        self._log(kind="validation", epoch=epoch, ap=figures.coco.ap, ap50=figure, by_label=by_label)
        self._clock = self._began = time.monotonic()  # what validation took is not learning

    def _log(self, **values: Any) -> None:  # noqa: ANN401 - JSON values
        if self.trainer.is_global_zero:
            progress = round(self._done(), 4)
            seconds = round(self.progress.seconds, 2)
            line = {"batch": self.progress.batch, "progress": progress, "seconds": seconds, **values}
            self.task.log.add(line)
            self.task.tell(line)

    def _told_to_stop(self) -> bool:
        """Whether one of the processes was told to: then all of them stop after the same batch."""
        return bool(self.trainer.strategy.reduce_boolean_decision(self.task.stopping(), all=False))

    def _tired(self) -> bool:
        config, progress = self.task.config, self.progress
        epoch = progress.batch // self.task.per_epoch
        return bool(config.patience and self.task.val is not None and epoch - progress.best_epoch >= config.patience)


def _never() -> bool:
    """Nobody stops it."""
    return False


def _silent(_line: Mapping[str, Any]) -> None:
    """Nobody wants to know."""


@dataclass(slots=True, eq=False)
class FitTask:
    """What is to be fitted to what."""

    folder: RunFolder
    config: RunConfig
    learner: Learner
    train: PageSamples
    #: None where the dataset has no such pages.
    val: PageSamples | None
    masks: bool
    length: Length
    #: Batches of an epoch in each process.
    per_epoch: int
    log: MetricsLog
    #: Called with each line of the log.
    tell: Callable[[Mapping[str, Any]], None] = _silent
    #: Asked after each batch whether to write a checkpoint and end.
    stopping: Callable[[], bool] = _never

    @property
    def log_every(self) -> int:
        """Batches between two lines of the log."""
        return max(1, min(50, self.per_epoch // _LINES))


def make_task(
    folder: RunFolder,
    dataset: Dataset,
    config: RunConfig,
    architecture: Architecture,
    *,
    augment: Augment | None = None,
    base: Mapping[str, Tensor] | None = None,
) -> FitTask:
    """Prepare a run; raises `TrainingError` where there is nothing to learn from, `BundleError` for an odd base."""
    pages = dataset.split("train")
    if not pages:
        raise TrainingError(f"The dataset {dataset.ref} has no page to learn from.", hint="`limner datasets split`.")
    torch.manual_seed(config.seed)
    learner = architecture.build(dataset.labels, config)
    if base is not None:
        taken = learner.take(base)
        logging.getLogger(__name__).info("Took %s of %s parameters over.", f"{taken.parameters:,}", f"{taken.of:,}")
    if config.freeze:
        learner.freeze(config.freeze)
    cache = PictureCache(folder.cache, config.image_size, _CACHE)
    masks = architecture.masks
    train = PageSamples(dataset, pages, cache, augment=augment, masks=masks, seed=config.seed)
    held = dataset.split("val") or dataset.split("test")
    per_epoch = batches_per_epoch(len(pages), config.batch_size, config.devices)
    return FitTask(
        folder=folder,
        config=config,
        learner=learner,
        train=train,
        val=PageSamples(dataset, held, cache, masks=masks) if held else None,
        masks=masks,
        length=length_of(config, per_epoch),
        per_epoch=per_epoch,
        log=MetricsLog(folder.metrics),
    )


def fit(task: FitTask, *, resume: bool = False) -> FitResult:
    """Learn until it is time, or SIGTERM comes; afterwards the network has the weights that answered best.

    With ``resume`` it goes on from the last checkpoint. Raises `TrainingError`.
    """
    fitting = Fitting(task)
    saved = load_checkpoint(task.folder.checkpoint) if resume else None
    if saved is not None:
        fitting.restore(saved)
        task.log.cut(fitting.progress.batch)
    status = _run(fitting) if fitting._done() < 1.0 else "finished"  # noqa: SLF001 - our own class
    cast("nn.Module", task.learner).cpu()
    if status == "stopped":
        return FitResult(status, fitting.progress, None)
    keep_best(task, fitting.average.state())
    if task.val is None:
        return FitResult(status, fitting.progress, None)
    validation = validate(cast("nn.Module", task.learner), task.val, masks=task.masks, rounds=200)
    return FitResult(status, fitting.progress, validation.evaluation)


def _run(fitting: Fitting) -> Literal["finished", "stopped"]:
    config = fitting.task.config
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # Lightning's advice: on loggers, loaders and the like.
        warnings.filterwarnings("ignore", module="lightning")
        warnings.filterwarnings("ignore", module="torch")
        trainer = pl.Trainer(
            accelerator="auto",
            devices=config.devices,
            strategy="ddp" if config.devices > 1 else "auto",
            precision=config.precision,
            max_epochs=1,
            accumulate_grad_batches=config.accumulate,
            gradient_clip_val=10.0,
            use_distributed_sampler=False,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            default_root_dir=fitting.task.folder.path,
        )
        try:
            trainer.fit(fitting)
        except SIGTERMException:
            fitting.save()
            return "stopped"
    if fitting._done() < 1.0 and not fitting._tired():  # noqa: SLF001 - our own class
        fitting.save()
        return "stopped"
    return "finished"


def save_weights(folder: RunFolder, state: Mapping[str, Tensor]) -> None:
    """Keep the weights that answered best, in one step."""
    from safetensors.torch import save_file

    folder.best.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.best.with_suffix(".partial")
    save_file({name: each.detach().cpu().contiguous() for name, each in state.items()}, partial)
    partial.replace(folder.best)


def keep_best(task: FitTask, average: Mapping[str, Tensor]) -> None:
    """Put the weights that answered best into the network, or the averaged ones where nobody asked."""
    from safetensors.torch import load_file

    best = load_file(task.folder.best) if task.folder.best.exists() else average
    cast("nn.Module", task.learner).load_state_dict(dict(best))
