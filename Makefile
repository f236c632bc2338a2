# dbmazz: change data capture from PostgreSQL to StarRocks, inside the server.
# "make help" lists the targets.

EXTENSION = dbmazz
MODULE_big = dbmazz
DATA = $(wildcard sql/dbmazz--*.sql)

# in the order of the layers: core, foundations, work, processes, SQL
CORE_OBJS = \
	src/core/error.o \
	src/core/bytes.o \
	src/core/tabledesc.o \
	src/core/typemap.o \
	src/core/pgoutput.o \
	src/core/pgtext.o \
	src/core/audit.o \
	src/core/relmap.o \
	src/core/batch.o \
	src/core/dedup.o \
	src/core/utf8.o \
	src/core/json_scan.o \
	src/core/json_check.o \
	src/core/fit.o \
	src/core/rowplan.o \
	src/core/encode_json.o \
	src/core/encode_csv.o \
	src/core/pgjsonb.o \
	src/core/keyrow.o \
	src/core/rowtext.o \
	src/core/body.o \
	src/core/backoff.o \
	src/core/label.o

OBJS = $(CORE_OBJS) \
	src/guc.o \
	src/encoding.o \
	src/guc_pipeline.o \
	src/shmem.o \
	src/queue.o \
	src/walwatch.o \
	src/debug_point.o \
	src/wakeup.o \
	src/report.o \
	src/catalog.o \
	src/catalog_progress.o \
	src/catalog_repair.o \
	src/catalog_dead.o \
	src/privilege.o \
	src/catalog_rows.o \
	src/sink.o \
	src/worker.o \
	src/relation.o \
	src/relation_collide.o \
	src/relation_gone.o \
	src/relation_targets.o \
	src/relation_sets.o \
	src/relation_now.o \
	src/batcher_keys.o \
	src/batcher_due.o \
	src/batcher_control.o \
	src/batcher_group.o \
	src/unfit.o \
	src/batcher.o \
	src/changes.o \
	src/fastpath.o \
	src/fastpath_texts.o \
	src/fastpath_arrays.o \
	src/decoder.o \
	src/decoder_calls.o \
	src/shipwait.o \
	src/shipper_split.o \
	src/shipper_group.o \
	src/shipper_probe.o \
	src/shipper_stop.o \
	src/shipper_dead.o \
	src/shipper_unfit.o \
	src/shipper_replay.o \
	src/shipper_reread.o \
	src/shipper_label.o \
	src/shipper_exactly.o \
	src/shipper_lane.o \
	src/shipper.o \
	src/checkpoint.o \
	src/launcher_scan.o \
	src/launcher_wal.o \
	src/launcher.o \
	src/scan_worker.o \
	src/decode_worker.o \
	src/ship_worker.o \
	src/checks.o \
	src/checks_table.o \
	src/fdw.o \
	src/guard.o \
	src/functions.o \
	src/functions_stat.o \
	src/functions_ddl.o \
	src/functions_slot.o \
	src/functions_rows.o \
	src/dbmazz.o

HTTP_OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/http/*.c)))
STARROCKS_OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/sinks/starrocks/*.c)))
NULL_OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/sinks/null/*.c)))
FILE_OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/sinks/file/*.c)))
MODULE_OBJ = src/sinks/module.o
SINK_OBJS = $(MODULE_OBJ) $(HTTP_OBJS) $(STARROCKS_OBJS) $(NULL_OBJS) $(FILE_OBJS)
SINKS = dbmazz_starrocks.so dbmazz_null.so dbmazz_file.so

PG_CPPFLAGS = -I$(srcdir)/src
PG_CFLAGS = -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers $(DBMAZZ_CFLAGS)

NO_INSTALLCHECK = 1			# ours is below
EXTRA_CLEAN = $(SINKS) $(SINK_OBJS) tmp_check build

# bitcode would only serve to inline SQL functions, and needs clang
override with_llvm = no

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

HEADERS = $(wildcard src/*.h src/core/*.h src/http/*.h src/sinks/*/*.h)
$(OBJS) $(SINK_OBJS): $(HEADERS) Makefile

# ---- sink modules: each is a library of its own ---------------------------

CURL_LIBS := $(shell curl-config --libs 2>/dev/null || echo -lcurl)
MARIADB_CFLAGS := $(shell mariadb_config --include 2>/dev/null)
MARIADB_LIBS := $(shell mariadb_config --libs 2>/dev/null)
src/http/%.o src/sinks/starrocks/%.o: override CPPFLAGS += $(shell curl-config --cflags 2>/dev/null)

MARIADB_OBJS = src/sinks/starrocks/mysqlport.o src/sinks/starrocks/tlsconnect.o
$(MARIADB_OBJS): override CPPFLAGS += $(MARIADB_CFLAGS)
$(MARIADB_OBJS): | have-mariadb
.PHONY: have-mariadb
have-mariadb:
	@test -n "$(MARIADB_LIBS)" || { echo "mariadb_config is not there:" \
		"install libmariadb-dev (Debian) or mariadb-connector-c-devel" >&2; exit 1; }

LINK_SINK = $(CC) $(CFLAGS) -shared -o $@ $(filter %.o,$^) $(LDFLAGS) \
	-Wl,--as-needed -Wl,--version-script=$(srcdir)/src/sinks/exports.map

dbmazz_starrocks.so: $(MODULE_OBJ) $(STARROCKS_OBJS) $(HTTP_OBJS) $(CORE_OBJS)
	$(LINK_SINK) $(CURL_LIBS) $(MARIADB_LIBS) -lcjson -lz -lzstd -llz4 -lpthread

dbmazz_null.so: $(MODULE_OBJ) $(NULL_OBJS) $(CORE_OBJS)
	$(LINK_SINK)

dbmazz_file.so: $(MODULE_OBJ) $(FILE_OBJS) $(CORE_OBJS)
	$(LINK_SINK)

all: $(SINKS)

install: install-sinks
.PHONY: install-sinks
install-sinks: $(SINKS)
	$(MKDIR_P) '$(DESTDIR)$(pkglibdir)' '$(DESTDIR)$(includedir_server)/extension/dbmazz/core'
	$(INSTALL_SHLIB) $(SINKS) '$(DESTDIR)$(pkglibdir)/'
	$(INSTALL_DATA) $(srcdir)/src/dbmazz_sink.h '$(DESTDIR)$(includedir_server)/extension/dbmazz/'
	$(INSTALL_DATA) $(addprefix $(srcdir)/src/core/,batch.h body.h bytes.h error.h tabledesc.h) \
		'$(DESTDIR)$(includedir_server)/extension/dbmazz/core/'

uninstall: uninstall-sinks
.PHONY: uninstall-sinks
uninstall-sinks:
	rm -f $(addprefix '$(DESTDIR)$(pkglibdir)'/,$(SINKS))
	rm -rf '$(DESTDIR)$(includedir_server)/extension/dbmazz'

# ---- checks ----------------------------------------------------------------

.PHONY: help unit check-cpus fuzz bench bench-core profile oracle chaos soak memcheck lint format docs dev dev-stop
installcheck:
	PG_CONFIG='$(PG_CONFIG)' $(srcdir)/test/lib/pg_regress.sh regress $(REGRESS)
	PG_CONFIG='$(PG_CONFIG)' $(srcdir)/test/lib/pg_regress.sh isolation $(ISOLATION)
	PG_CONFIG='$(PG_CONFIG)' $(srcdir)/test/lib/prove.sh $(PROVE_TESTS)

unit:
	$(MAKE) -C test/unit check
	$(MAKE) -C test/unit/sinks check

check-cpus:
	$(srcdir)/test/unit/check_cpus $(filter-out all,$(T))

S ?= 60
T ?= all
fuzz:
	$(MAKE) -C test/fuzz run S=$(S) $(if $(filter-out all,$(T)),T='$(T)')

bench:
	$(srcdir)/test/bench/run $(BENCH_OPTS)

profile:
	$(srcdir)/test/bench/profile $(PROFILE_OPTS)

bench-core:
	$(MAKE) -C test/unit bench
	$(srcdir)/test/bench/encoders/run --pg-config '$(PG_CONFIG)' $(BENCH_OPTS)

oracle:
	$(srcdir)/test/oracle/start $(if $(PG),--pg $(PG)) $(if $(KEEP),--keep) \
		$(if $(SEED),--seeds $(SEED)) $(if $(MINUTES),--minutes $(MINUTES)) \
		$(if $(CHANGES),--changes $(CHANGES)) $(if $(FEATURES),--features=$(FEATURES))

chaos:
	$(srcdir)/test/chaos/start $(if $(PG),--pg $(PG)) $(if $(KEEP),--keep) \
		$(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SEED),--seed $(SEED)) $(if $(LENGTH),--seconds $(LENGTH)) \
		$(if $(LIMIT),--limit $(LIMIT)) $(if $(DELIVERY),--delivery $(DELIVERY)) \
		$(if $(RECOVERY),--recovery $(RECOVERY))

soak:
	$(srcdir)/test/chaos/start $(if $(PG),--pg $(PG)) $(if $(KEEP),--keep) $(if $(SEED),--seed $(SEED)) \
		$(if $(DELIVERY),--delivery $(DELIVERY)) --soak $(or $(MINUTES),30)

memcheck:
	$(srcdir)/test/memcheck/run $(PROVE_TESTS)

lint: all
	$(srcdir)/test/lint/run

format:
	$(srcdir)/test/lint/format

docs:
	$(srcdir)/test/docs/types

dev:
	$(srcdir)/demo/dev start

dev-stop:
	$(srcdir)/demo/dev stop

help:
	@echo "make               build dbmazz.so and the sink modules (PG_CONFIG=... picks the server)"
	@echo "make install       install them, as a user who may write to the server's directories"
	@echo "make installcheck  regression, isolation and TAP tests on servers of their own;"
	@echo "                   REGRESS=, ISOLATION=, PROVE_TESTS= pick some (not as root)"
	@echo "make unit          unit tests of the core and of the sinks, with sanitizers"
	@echo "make check-cpus    those of the core as aarch64 and an x86-64 without AVX2 get it, under emulation"
	@echo "make fuzz          fuzzers: T=name (default all), S=seconds each (default 60)"
	@echo "make bench         benchmarks against pg_recvlogical; BENCH_OPTS=--quick for a short look"
	@echo "make bench-core    ns of the parts of a row in the core, and per value of each type beside the server's"
	@echo "                   output functions; BENCH_OPTS='--only jsonb', --update-readme"
	@echo "make profile       where decoder and shipper spend their time (needs perf); PROFILE_OPTS=--only=toast"
	@echo "make oracle        random tables and changes, compared with the target: SEED=1-3, MINUTES=,"
	@echo "                   CHANGES= of each seed, PG=17, FEATURES=+truncate,-faults, KEEP=1"
	@echo "make chaos         rounds in which everything breaks, compared with the target: ROUNDS=20, SEED=,"
	@echo "                   LENGTH=seconds of each, LIMIT=minutes, PG=17, DELIVERY=exactly_once or atomic, KEEP=1;"
	@echo "                   RECOVERY=50 measures how long workers that were ended take to come back"
	@echo "make soak          a steady load, and whether the memory of dbmazz's processes grows: MINUTES=30,"
	@echo "                   SEED=, PG=17, DELIVERY=exactly_once, KEEP=1"
	@echo "make memcheck      TAP tests under valgrind, in a server built for it; PROVE_TESTS= picks others"
	@echo "make lint          layers, limits, exports, shell scripts, documentation of settings"
	@echo "make docs          write the README's tables of types from the C table"
	@echo "make format        indent the C sources (needs pg_bsd_indent)"
	@echo "make dev           a throw-away server with dbmazz and a sandbox to play with"
	@echo "make dev-stop      remove it"
	@echo "make clean         remove what was built"
	@echo "./test/run         all tests, after installing what they need"
	@echo "./demo/start       the demo"
