#| Bayesian hyperparameter optimization of a convolutional VAE.
#|
#|   make tune            tune: sample, train, prune; run it again to go on where it stopped
#|   make best-retrain    retrain the best trial at full length; draw all figures and the animation
#|   make train           one run with given values, the tutorial's by default, drawn as well
#|   make figures         draw a finished run again from its files: RUN=results/cifar10/best FPS=4
#|   make dashboard       browse the study in optuna-dashboard
#|   make report          write the study's page anew: results/<study>/report/index.html
#|
#|   make test            the tests, without the long suites
#|   make test-all        all tests, also fault injection and browser
#|   make check           ruff, mypy --strict, make test
#|   make bench           time training against a textbook loop, side by side; ten minutes
#|   make bench-search    replay searches on a table of learning curves; five minutes on two cores
#|   make showcase        make results/showcase anew: tune, retrain, copy; an hour on two cores
#|   make help            this page
#|
#| Set a variable behind the target: make tune STUDY=quick TRIALS=10
#|
#|   STUDY=cifar10        a study in study_configs/ (cifar10, quick, ...) or the path of its file
#|   TRIALS=              tune: the study's total number of trials, over all calls
#|   TIMEOUT=             tune: stop this call after so many minutes
#|   WORKERS=             tune: processes that share the study, the cores and the GPUs
#|   FROM_STUDY=          tune: begin a new study with what this one has found
#|   FRESH=               tune: FRESH=1 starts over instead of going on
#|   DEVICE=              cpu, cuda or mps; empty: the fastest there is
#|   TRIAL=               best-retrain: the number of another trial than the best
#|   EPOCHS=              best-retrain, train: how many epochs
#|   BETA=  LATENT_DIM=   train: weight of the rate; latent dimensions
#|   LEARNING_RATE=       train: Adam's
#|   BATCH_SIZE=          train: images a step
#|   SCHEDULE=            train: of the learning rate, constant or cosine
#|   ARCHITECTURE=        train: norm_free, or plain: the tutorial's
#|   LINEAR_PATH=         train: LINEAR_PATH=1 sets probabilistic PCA beside the convolutions
#|   DATA=                train: cifar10, sample or a folder of images
#|   OUTPUT=              train: where the results go; empty: results/train
#|   TEST=                train: TEST=1 scores the test split, too
#|   RUN=  FPS=           figures: the folder of the run; frames a second
#|   FULL=                bench-search: FULL=1 repeats more often, and with 16 workers, too
#|   HOST=  PORT=         dashboard: where it listens; empty: on this machine only
#|   PYTHON=python3       the Python (3.11 or newer) that .venv is made from
#|
#| The first call installs what it needs into .venv, once. On Linux without an NVIDIA GPU, the
#| CPU build of PyTorch is enough and takes 2 GB instead of 8:
#|
#|   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make tune

# Assigned also where empty, so that an exported HOST or DEVICE does not leak in.
STUDY   = cifar10
TRIALS  =
TIMEOUT =
WORKERS =
FROM_STUDY =
FRESH   =
DEVICE  =
TRIAL   =
EPOCHS  =
BETA    =
LATENT_DIM =
LEARNING_RATE =
BATCH_SIZE =
SCHEDULE =
ARCHITECTURE =
LINEAR_PATH =
DATA    =
OUTPUT  =
TEST    =
RUN     =
FPS     =
FULL    =
HOST    =
PORT    =
PYTHON  = python3

python := .venv/bin/python
# A process for each core, up to four, and so one thread for each.
pytest := OMP_NUM_THREADS=1 $(python) -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile
typed  := $(wildcard hpo model scripts tests data/*.py benchmarks)
# $(call option,--trials,TRIALS) is empty where TRIALS is.
option  = $(if $(strip $($2)),$1 '$(strip $($2))')
# $(call flag,--fresh,FRESH) likewise, also where it says no.
flag    = $(if $(filter-out 0 no false,$($2)),$1)

.PHONY: help tune best-retrain train figures dashboard report bench bench-search showcase test test-all check .packages .dev-packages

help:
	@sed -n 's/^#| \{0,1\}//p' Makefile

tune: .packages
	$(strip $(python) -m hpo tune '$(STUDY)' $(call option,--trials,TRIALS) \
	  $(call option,--timeout,TIMEOUT) $(call option,--workers,WORKERS) $(call option,--device,DEVICE) \
	  $(call option,--from-study,FROM_STUDY) $(call flag,--fresh,FRESH))

best-retrain: .packages
	$(strip $(python) -m hpo retrain '$(STUDY)' $(call option,--trial,TRIAL) \
	  $(call option,--epochs,EPOCHS) $(call option,--device,DEVICE))

train: .packages
	$(strip $(python) -m hpo train $(call option,--beta,BETA) $(call option,--latent-dim,LATENT_DIM) \
	  $(call option,--learning-rate,LEARNING_RATE) $(call option,--batch-size,BATCH_SIZE) \
	  $(call option,--epochs,EPOCHS) $(call option,--schedule,SCHEDULE) $(call option,--data,DATA) \
	  $(call option,--architecture,ARCHITECTURE) $(call flag,--linear-path,LINEAR_PATH) \
	  $(call option,--device,DEVICE) $(call option,--output,OUTPUT) $(call flag,--test,TEST))

figures: .packages
	$(strip $(python) -m hpo figures '$(RUN)' $(call option,--fps,FPS) $(call option,--device,DEVICE))

dashboard: .packages
	$(strip $(python) -m hpo dashboard '$(STUDY)' $(call option,--host,HOST) $(call option,--port,PORT))

report: .packages
	$(strip $(python) -m hpo report '$(STUDY)')

bench: .packages
	$(strip $(python) -m benchmarks.throughput $(call option,--device,DEVICE))

bench-search: .packages
	$(strip $(python) -m benchmarks.search.replay $(call flag,--full,FULL))

showcase: tune best-retrain
	$(python) -m scripts.make_showcase '$(STUDY)'

test: .dev-packages
	$(pytest) -m 'not faults and not browser'

test-all: .dev-packages
	$(pytest)

check: .dev-packages
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy --strict $(typed)
	@$(MAKE) --no-print-directory test

# Installs where the requirements' content is not what .venv holds; otherwise returns at once.
.packages:
	@$(set_up) requirements.txt

.dev-packages:
	@$(set_up) requirements-dev.txt

define set_up
command -v '$(PYTHON)' >/dev/null || { \
  echo "'$(PYTHON)' was not found: install Python 3.11 or newer, or name yours: make PYTHON=/path/to/python3" >&2; \
  exit 2; }; \
'$(PYTHON)' -I scripts/setup_venv.py
endef
