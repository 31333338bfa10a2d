# Everything there is to run. Go and make are all it needs; "make race" needs a C compiler as well.

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || cat VERSION 2>/dev/null || echo dev)
PREFIX   ?= /usr/local
FUZZTIME ?= 1m
BENCH    ?= .
PACKAGES ?= ./...

# The same sources give the same bytes, wherever and whenever they are built.
GOBUILD  := CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)'
BINDIR   := $(abspath $(DESTDIR)$(PREFIX)/bin)

.DEFAULT_GOAL := build
.PHONY: build test race lint demo acceptance compose-check faults bench fuzz cover install clean help

build: ## bin/zester and its symlinks
	$(GOBUILD) -o bin/zester .
	bin/zester install --symlinks '$(CURDIR)/bin'

test: ## all tests, hermetic: no network, no root, no services
	CGO_ENABLED=0 $(GO) test -timeout 10m $(PACKAGES)

race: ## all tests under the race detector
	@command -v "$$($(GO) env CC)" >/dev/null || { echo "make race: no C compiler \"$$($(GO) env CC)\" (install gcc; the race detector needs cgo)" >&2; exit 1; }
	CGO_ENABLED=1 $(GO) test -race -timeout 20m $(PACKAGES)

lint: ## gofmt, go vet, staticcheck
	@files="$$(gofmt -l .)"; test -z "$$files" || { echo "gofmt -w is missing on:" >&2; echo "$$files" >&2; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

demo: build ## a fleet of five, from enrollment to a load balancer's configuration
	bin/zester playground demo

acceptance: build ## boots Debian machines with systemd and manages them, compares templates with Jinja2; needs root
	testdata/acceptance/prepare
	$(GO) vet -tags acceptance ./testdata/acceptance
	$(GO) test -tags acceptance -count 1 -timeout 45m -v ./testdata/acceptance
	python=python3; $$python -c 'import jinja2' 2>/dev/null || python=/usr/bin/python3; $$python testdata/render/diff/diff.py run bin/zester

compose-check: ## what is in packaging: flags, manifests and units that exist and agree with each other
	CGO_ENABLED=0 $(GO) test -count 1 ./testdata/packaging

# In the package's directory, for the table to be printed when all is well.
faults: ## kills, partitions, full disks, wrong clocks: what jobs make of them, as a table; FAULT_RUNS of each (20)
	$(GO) vet -tags faults ./personalities/playground
	CGO_ENABLED=0 $(GO) -C personalities/playground test -tags faults -count 1 -timeout 30m -parallel 7 -run '^TestFaults$$'

bench: ## all benchmarks; ratios are against raw NATS in the same run
	CGO_ENABLED=0 $(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...

fuzz: ## every fuzz test for FUZZTIME each
	@found=0; for package in $$($(GO) list ./...); do \
		names="$$($(GO) test -list '^Fuzz' $$package)" || { echo "$$names" >&2; exit 1; }; \
		for name in $$(echo "$$names" | grep '^Fuzz'); do \
			echo "$$package $$name"; found=$$((found + 1)); \
			$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x $$package || exit 1; \
		done; \
	done; \
	test $$found -gt 0 || { echo "make fuzz: no fuzz test found" >&2; exit 1; }

cover: ## coverage of each function in bin/cover.html, the total on the terminal
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) test -timeout 20m -coverpkg=./... -coverprofile bin/cover.out ./...
	$(GO) tool cover -html bin/cover.out -o bin/cover.html
	@$(GO) tool cover -func bin/cover.out | tail -n 1

install: build ## into DESTDIR/PREFIX/bin
	install -d '$(BINDIR)'
	install -m 0755 bin/zester '$(BINDIR)/zester'
	'$(BINDIR)/zester' install --symlinks '$(BINDIR)'

clean: ## remove bin
	rm -rf bin

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
