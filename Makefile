# SPDX-License-Identifier: GPL-2.0-only
# The front door. The work is done by Meson and Ninja; see docs/HACKING.md for using them directly.
PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   := build
# Meson is Debian's: it must not pick up another Python that lies earlier in the path.
MESON   := /usr/bin/meson

all: deps $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

deps:
	@tools/install-deps

$(BUILD)/build.ninja: | deps
	@$(MESON) setup $(BUILD) --prefix=$(PREFIX) > $(BUILD).log 2>&1 || { cat $(BUILD).log; rm -f $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log

demo: all
	@tests/demo/run $(BUILD)

test: deps-test all
	@tests/run-all $(BUILD)

# Engines and other programs that use criu; not part of "test".
test-clients: all
	@tools/install-deps clients
	@/usr/bin/python3 -B -m pytest -c tests/pytest.ini --rootdir tests --build=$(BUILD) -q tests/clients

# For another CPU, in build-$(CPU): make cross CPU=aarch64.
cross: deps
	@tools/install-deps cross
	@tools/cross-build $(CPU)

# A part of the suites on other kernels in virtual machines, an hour each, or, with CPU=aarch64, on an emulated machine of
# that CPU; not part of "test".
test-kernels: deps-test $(if $(CPU),cross,all)
	@tools/install-deps kernels
	@tests/kernels/run $(if $(CPU),-c $(CPU) build-$(CPU),$(BUILD)) $(KERNELS)

deps-test:
	@tools/install-deps test

bench: all
	@tests/bench/run $(BUILD)
	@tests/bench/requests $(BUILD)
	@tests/bench/remote $(BUILD)

# Debian packages in build/deb.
deb: deps
	@tools/install-deps deb
	@tools/make-deb $(BUILD)

rpm: deps
	@tools/install-deps rpm
	@tools/make-rpm $(BUILD)

# criu and crit as single files that need no library, in build-static.
static: deps
	@tools/install-deps static
	@test -e build-static/build.ninja || $(MESON) setup build-static -Dstatic=true -Dtests=false > build-static.log 2>&1 || { cat build-static.log; exit 1; }
	@rm -f build-static.log
	@ninja -C build-static --quiet criu crit

# The programs know where they will lie.
prefix: $(BUILD)/build.ninja
	@$(MESON) configure $(BUILD) --prefix=$(PREFIX)
	@ninja -C $(BUILD) > $(BUILD).log 2>&1 || { cat $(BUILD).log; rm -f $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log

install: prefix
	@tools/install $(BUILD) "$(DESTDIR)"

uninstall: prefix
	@tools/install --remove $(BUILD) "$(DESTDIR)"

clean:
	rm -rf $(BUILD)

.PHONY: all cross deps deps-test demo test test-clients test-kernels bench deb rpm prefix install uninstall clean
