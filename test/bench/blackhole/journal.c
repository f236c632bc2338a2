/*
 * journal.c
 *		What has arrived: totals, one line per load, and on demand one per row.
 */
#define _GNU_SOURCE
#include "journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define NAME_LEN	64
#define MAX_TABLES	8192
#define MAX_LOADS	(1 << 20)
#define MAX_ROWS	(1 << 24)

/* Labels seen at the FE lately; a newer one may take an older one's place. */
#define NLABELS		4096

typedef struct Totals
{
	uint64_t	loads;
	BhReceived	received;
} Totals;

typedef struct Table
{
	char		name[NAME_LEN];
	Totals		totals;
} Table;

typedef struct Load
{
	uint32_t	table;
	bool		ok;
	int64_t		fe_ns;			/* head at the FE; 0 if it was not seen */
	int64_t		head_ns;		/* head at the BE */
	int64_t		done_ns;		/* end of the body; 0 until then */
	uint64_t	rows;
	uint64_t	bytes;
} Load;

typedef struct Row
{
	int64_t		key;
	uint32_t	load;
} Row;

typedef struct Label
{
	uint64_t	hash;
	int64_t		when;
} Label;

/* A list that grows up to a limit; what is beyond is counted, not kept. */
#define LIST(type) \
	struct { type *items; size_t n; size_t cap; }

static LIST(Load) loads;
static LIST(Row) rows;
static Table tables[MAX_TABLES];
static uint32_t ntables;
static Label labels[NLABELS];
static Totals totals;
static uint64_t counts[2][BH_NCOUNTS];	/* the BE's, the FE's */
static int64_t first_ns;
static int64_t last_ns;
static uint32_t generation;

/* '"column":', or empty */
static char watched[NAME_LEN + 4];

int64_t
bh_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* Room for one more?  Moves the items if need be. */
static bool
grow(void **items, size_t n, size_t *cap, size_t size, size_t max)
{
	void	   *more;

	if (n < *cap)
		return true;
	if (n >= max)
		return false;
	more = realloc(*items, (*cap ? *cap * 2 : 1024) * size);
	if (more == NULL)
		return false;
	*items = more;
	*cap = *cap ? *cap * 2 : 1024;
	return true;
}

#define GROW(list, max) \
	grow((void **) &(list).items, (list).n, &(list).cap, \
		 sizeof(*(list).items), max)

void
bh_journal_count(bool is_fe, BhCount what)
{
	counts[is_fe][what]++;
}

static uint64_t
hash_bytes(BhSpan span)
{
	uint64_t	hash = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < span.len; i++)
		hash = (hash ^ (unsigned char) span.data[i]) *
			UINT64_C(1099511628211);
	return hash;
}

void
bh_journal_label(BhSpan label, int64_t when)
{
	uint64_t	hash = hash_bytes(label);

	labels[hash % NLABELS].hash = hash;
	labels[hash % NLABELS].when = when;
}

static int64_t
label_time(BhSpan label)
{
	uint64_t	hash = hash_bytes(label);
	const Label *found = &labels[hash % NLABELS];

	return found->hash == hash ? found->when : 0;
}

/* The number of a table; all beyond the limit share the last. */
static uint32_t
table_number(BhSpan name)
{
	uint32_t	i;

	if (name.len >= NAME_LEN)
		name.len = NAME_LEN - 1;
	for (i = 0; i < ntables; i++)
	{
		if (bh_span_is(name, tables[i].name))
			return i;
	}
	if (ntables == MAX_TABLES)
		return MAX_TABLES - 1;
	memset(&tables[i], 0, sizeof(tables[i]));
	memcpy(tables[i].name, name.data, name.len);
	ntables++;
	return i;
}

BhLoadId
bh_journal_begin(BhSpan table, BhSpan label, int64_t when)
{
	BhLoadId	id = {UINT32_MAX, generation};
	Load	   *load;

	if (first_ns == 0)
		first_ns = when;
	if (!GROW(loads, MAX_LOADS))
		return id;
	id.number = (uint32_t) loads.n++;
	load = &loads.items[id.number];
	memset(load, 0, sizeof(*load));
	load->table = table_number(table);
	load->fe_ns = label_time(label);
	load->head_ns = when;
	return id;
}

static Load *
find_load(BhLoadId id)
{
	if (id.generation != generation || id.number >= loads.n)
		return NULL;
	return &loads.items[id.number];
}

static void
add(Totals *to, const BhReceived *more)
{
	to->loads++;
	to->received.rows += more->rows;
	to->received.bytes += more->bytes;
	to->received.plain_bytes += more->plain_bytes;
	to->received.checksum += more->checksum;
}

void
bh_journal_end(BhLoadId id, bool ok, const BhReceived *received)
{
	Load	   *load = find_load(id);
	int64_t		now = bh_now();

	if (id.generation != generation)
		return;
	last_ns = now;
	if (!ok)
		bh_journal_count(false, BH_COUNT_REFUSED);
	else
		add(&totals, received);
	if (load == NULL)
		return;
	load->ok = ok;
	load->done_ns = now;
	load->rows = received->rows;
	load->bytes = received->bytes;
	if (ok)
		add(&tables[load->table].totals, received);
}

/* ---- rows ------------------------------------------------------------- */

void
bh_journal_watch(BhSpan column)
{
	watched[0] = '\0';
	if (column.len > 0 && column.len < NAME_LEN)
		snprintf(watched, sizeof(watched), "\"%.*s\":", (int) column.len,
				 column.data);
}

bool
bh_journal_watches(void)
{
	return watched[0] != '\0';
}

void
bh_journal_row(BhLoadId id, const char *row, size_t len)
{
	size_t		skip = strlen(watched);
	const char *end = row + len;
	const char *pos = memmem(row, len, watched, skip);
	bool		negative = false;
	uint64_t	key = 0;

	if (find_load(id) == NULL || pos == NULL || !GROW(rows, MAX_ROWS))
		return;
	for (pos += skip; pos < end && (*pos == '"' || *pos == ' '); pos++)
		 /* before the number */ ;
	if (pos < end && *pos == '-')
	{
		negative = true;
		pos++;
	}
	for (; pos < end && *pos >= '0' && *pos <= '9'; pos++)
		key = key * 10 + (uint64_t) (*pos - '0');
	rows.items[rows.n].key = (int64_t) (negative ? -key : key);
	rows.items[rows.n].load = id.number;
	rows.n++;
}

void
bh_journal_reset(void)
{
	loads.n = rows.n = 0;
	ntables = 0;
	first_ns = last_ns = 0;
	memset(&totals, 0, sizeof(totals));
	memset(counts, 0, sizeof(counts));
	memset(labels, 0, sizeof(labels));
	generation++;
}

/* ---- answers ---------------------------------------------------------- */

static void
put_totals(BhBuffer *out, const Totals *t)
{
	bh_buffer_printf(out, "\"loads\":%" PRIu64 ",\"rows\":%" PRIu64
					 ",\"bytes\":%" PRIu64 ",\"plain_bytes\":%" PRIu64
					 ",\"checksum\":\"%016" PRIx64 "\"",
					 t->loads, t->received.rows, t->received.bytes,
					 t->received.plain_bytes, t->received.checksum);
}

static void
put_counts(BhBuffer *out, const char *role, const uint64_t *n)
{
	bh_buffer_printf(out, ",\"%s\":{\"connections\":%" PRIu64
					 ",\"requests\":%" PRIu64 ",\"redirects\":%" PRIu64
					 ",\"continues\":%" PRIu64 ",\"schemas\":%" PRIu64
					 ",\"refused\":%" PRIu64 "}", role,
					 n[BH_COUNT_CONNECTION], n[BH_COUNT_REQUEST],
					 n[BH_COUNT_REDIRECT], n[BH_COUNT_CONTINUE],
					 n[BH_COUNT_SCHEMA], n[BH_COUNT_REFUSED]);
}

static double
seconds(struct timeval tv)
{
	return (double) tv.tv_sec + (double) tv.tv_usec / 1e6;
}

void
bh_journal_stats(BhBuffer *out)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	bh_buffer_printf(out, "{");
	put_totals(out, &totals);
	put_counts(out, "fe", counts[true]);
	put_counts(out, "be", counts[false]);
	bh_buffer_printf(out, ",\"first_ns\":%" PRId64 ",\"last_ns\":%" PRId64
					 ",\"cpu_user_s\":%.6f,\"cpu_sys_s\":%.6f,\"tables\":{",
					 first_ns, last_ns, seconds(usage.ru_utime),
					 seconds(usage.ru_stime));
	for (uint32_t i = 0; i < ntables; i++)
	{
		bh_buffer_printf(out, "%s\"%s\":{", i > 0 ? "," : "", tables[i].name);
		put_totals(out, &tables[i].totals);
		bh_buffer_printf(out, "}");
	}
	bh_buffer_printf(out, "}}\n");
}

void
bh_journal_loads(BhBuffer *out)
{
	bh_buffer_printf(out, "#load table ok rows bytes fe_ns head_ns done_ns\n");
	for (size_t i = 0; i < loads.n; i++)
	{
		const Load *load = &loads.items[i];

		bh_buffer_printf(out, "%zu %s %d %" PRIu64 " %" PRIu64 " %" PRId64
						 " %" PRId64 " %" PRId64 "\n", i,
						 tables[load->table].name, load->ok, load->rows,
						 load->bytes, load->fe_ns, load->head_ns,
						 load->done_ns);
	}
}

void
bh_journal_rows(BhBuffer *out)
{
	bh_buffer_printf(out, "#key load\n");
	for (size_t i = 0; i < rows.n; i++)
		bh_buffer_printf(out, "%" PRId64 " %u\n", rows.items[i].key,
						 rows.items[i].load);
}
