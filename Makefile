# SPDX-License-Identifier: BSD-3-Clause
#
# A thin front for people; the build itself is Meson's (meson.build).

BUILD  := build
TOOL   := $(BUILD)/tools/vfiokit
PREFIX ?= /usr/local
CACHE   = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/vfiokit

.PHONY: all demo check fuzz install clean clean-cache format help

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@command -v meson >/dev/null || \
		{ echo "meson is missing: scripts/install-deps build"; exit 1; } >&2
	@meson setup $(BUILD) --buildtype=debugoptimized --prefix=$(PREFIX)

demo:
	@scripts/install-deps build
	@$(MAKE) --no-print-directory all
	@$(TOOL) demo

check:
	@scripts/install-deps check
	@tests/check

# T: seconds for each target.
T ?= 300
fuzz:
	@scripts/install-deps check
	@tests/check --fuzz $(T)

# The loader's cache is only ours to refresh when the real system was installed to.
install: all
	@meson configure $(BUILD) -Dprefix=$(PREFIX)
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD)
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ]; then ldconfig; fi

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-tsan

# Test kernels, the newer QEMU, sysroots: what is large and built or fetched once.
clean-cache:
	$(if $(XDG_CACHE_HOME)$(HOME),,$(error neither XDG_CACHE_HOME nor HOME is set))
	rm -rf $(CACHE)

format:
	@git ls-files -z --cached --others --exclude-standard '*.c' '*.h' | xargs -0 -r clang-format -i

help:
	@echo "make              build $(TOOL) and the library"
	@echo "make demo         install what the build needs, build, run the demonstration"
	@echo "make check        install what the tests need, build, run every test, count the results"
	@echo "make fuzz         throw made-up input at server, client and decoders, T=$(T) seconds each"
	@echo "make install      install below PREFIX ($(PREFIX)), DESTDIR is honoured"
	@echo "make clean        remove the build trees"
	@echo "make clean-cache  remove $(CACHE)"
	@echo "make format       clang-format on all C files"
