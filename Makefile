# make             builds build/ngx_http_pki_module.so for the installed nginx
# make run         enrols, checks and revokes a first device, goes on serving
# make test        the whole suite
#
# NGINX=/path/to/nginx   another nginx to run
# NGX_SRC=dir            another nginx to build for; without NGINX it is built
#                        from there, too
# BUILD=dir              where everything is made, default build
# JOBS=N                 how many suites run at a time
# T="t/00-load.t ..."    which suites "make test" and "make asan" run
# FUZZ_TIME=60           seconds for each fuzz target
# COUNT=10000            enrolments of "make load"
# REVOCATIONS=1000       revocations of "make load"
# REVOKED=1000000        entries of its CRLs, 0: leave that out

BUILD     ?= build
NGINX     ?=
NGX_SRC   ?=
JOBS      ?= $(shell echo $$((2 * $$(nproc 2>/dev/null || echo 2))))
T         ?= $(wildcard t/*.t)
FUZZ_TIME ?= 60
COUNT     ?= 10000
REVOCATIONS ?= 1000
REVOKED   ?= 1000000
DESTDIR   ?=

PKI_NGINX := $(NGINX)

# nginx itself would take a variable NGINX for inherited sockets

unexport NGINX
export BUILD PKI_NGINX NGX_SRC JOBS T FUZZ_TIME DESTDIR

.PHONY: build deps run run-intune test asan fuzz bench load interop lint \
        install fresh clean

build:
	@t/tools/deps.sh build
	@t/tools/build.sh

deps:
	@t/tools/deps.sh all

run:
	@t/tools/deps.sh run
	@t/tools/build.sh
	@conf/run.sh

run-intune:
	@t/tools/deps.sh simulate
	@t/tools/build.sh
	@conf/run-intune.sh

test:
	@t/tools/deps.sh test
	@t/tools/build.sh
	@t/tools/test.sh

asan:
	@t/tools/deps.sh asan
	@t/tools/asan.sh

fuzz:
	@t/tools/deps.sh fuzz
	@t/tools/fuzz.sh

bench:
	@t/tools/deps.sh bench
	@t/tools/build.sh
	@t/bench/run.sh

load:
	@t/tools/deps.sh bench
	@t/tools/build.sh
	@COUNT=$(COUNT) t/tools/load-test.sh
	@COUNT=$(REVOCATIONS) t/load/ocsp.sh
	@[ $(REVOKED) = 0 ] || COUNT=$(REVOKED) t/load/crl.sh

interop:
	@t/tools/deps.sh interop
	@t/tools/build.sh
	@t/interop/run.sh
	@t/azure/sdk/run.sh

lint:
	@t/tools/deps.sh lint
	@t/tools/build.sh
	@t/tools/lint.sh

install:
	@t/tools/deps.sh build
	@t/tools/build.sh
	@t/tools/install.sh

fresh:
	@t/tools/fresh.sh

clean:
	@rm -rf "$(BUILD)" t/servroot*
	@echo "clean: $(BUILD) and t/servroot* are gone"
