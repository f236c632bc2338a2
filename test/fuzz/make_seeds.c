/*
 * make_seeds.c
 *		Writes the first inputs of the fuzz targets: make_seeds <directory>
 *
 * NOTES
 *	  Every kind of message and every shape of answer once, so that a short run
 *	  gets behind the first checks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "helpers.h"

static const char *directory;

static void
make_directory(const char *target)
{
	char		path[1000];

	snprintf(path, sizeof(path), "%s/%s", directory, target);
	mkdir(path, 0777);
}

static void
save(const char *target, const char *name, Buffer *seed)
{
	char		path[1000];
	FILE	   *file;

	snprintf(path, sizeof(path), "%s/%s/%s", directory, target, name);
	file = fopen(path, "wb");
	if (file == NULL || fwrite(seed->data, 1, seed->len, file) != seed->len ||
		fclose(file) != 0)
	{
		perror(path);
		exit(1);
	}
	buffer_free(seed);
}

/* ---- pgoutput --------------------------------------------------------- */

/* One value of each class, in the order of the classes. */
static const char *const values[] = {
	"text \"with\" escape", "t", "-42", "12.50", "1.5e+20", "2026-08-01",
	"2026-08-01 12:34:56.789", "2026-08-01 12:34:56+00", "\\x00ff",
	"{\"a\": [1, null]}"
};

static const char *const special_values[] = {
	NULL, UNCHANGED, "NaN", "Infinity", "infinity", "0044-03-15 BC",
	"10000-01-01 00:00:00", "2026-08-01 12:34:56+02", "", "null"
};

static void
save_changes(void)
{
	Buffer		m = {0};
	uint32_t	relid;

	for (relid = 0; relid < 10; relid++)
	{
		char		name[20];

		snprintf(name, sizeof(name), "insert%u", relid);
		/* 64 * 9: all ten columns; the classes begin with that of value 0 */
		m.len = 0;
		put_insert(&m, 64 * 9 + 4, values, (int) relid + 1);
		save("pgoutput", name, &m);
	}
	put_insert(&m, 640 - 1, special_values, 10);
	save("pgoutput", "insert_special", &m);

	put_byte(&m, 'U');
	put_u32(&m, 640 + 0x100);
	put_byte(&m, 'O');
	put_tuple(&m, values, 10);
	put_byte(&m, 'N');
	put_tuple(&m, special_values, 10);
	save("pgoutput", "update_old", &m);

	put_byte(&m, 'U');
	put_u32(&m, 640);
	put_byte(&m, 'K');
	put_tuple(&m, values, 3);
	put_byte(&m, 'N');
	put_tuple(&m, values, 10);
	save("pgoutput", "update_key", &m);

	put_byte(&m, 'U');
	put_u32(&m, 640);
	put_byte(&m, 'N');
	put_tuple(&m, values, 10);
	save("pgoutput", "update", &m);

	put_byte(&m, 'D');
	put_u32(&m, 640);
	put_byte(&m, 'K');
	put_tuple(&m, values, 2);
	save("pgoutput", "delete", &m);
}

static void
save_other_messages(void)
{
	Buffer		m = {0};

	put_byte(&m, 'B');
	put_u64(&m, 0x1000);
	put_u64(&m, 0);
	put_u32(&m, 700);
	save("pgoutput", "begin", &m);

	put_bytes(&m, "C\0", 2);
	put_u64(&m, 0x1000);
	put_u64(&m, 0x1030);
	put_u64(&m, 0);
	save("pgoutput", "commit", &m);

	put_byte(&m, 'O');
	put_u64(&m, 1);
	put_string(&m, "origin");
	save("pgoutput", "origin", &m);

	put_byte(&m, 'Y');
	put_u32(&m, 16400);
	put_string(&m, "public");
	put_string(&m, "mood");
	save("pgoutput", "type", &m);

	put_byte(&m, 'R');
	put_u32(&m, 16384);
	put_string(&m, "public");
	put_string(&m, "orders");
	put_byte(&m, 'd');
	put_u16(&m, 1);
	put_byte(&m, 1);
	put_string(&m, "id");
	put_u32(&m, 20);
	put_u32(&m, 0xFFFFFFFF);
	save("pgoutput", "relation", &m);

	put_byte(&m, 'T');
	put_u32(&m, 2);
	put_byte(&m, 1);
	put_u32(&m, 16384);
	put_u32(&m, 16385);
	save("pgoutput", "truncate", &m);

	put_bytes(&m, "M\1", 2);
	put_u64(&m, 1);
	put_string(&m, "prefix");
	put_u32(&m, 4);
	put_printf(&m, "text");
	save("pgoutput", "message", &m);

	put_printf(&m, "S....");
	save("pgoutput", "stream", &m);
}

/* ---- encode ----------------------------------------------------------- */

/* The bytes are choices, so any will do; long inputs make many rows. */
static void
save_choices(void)
{
	uint64_t	state = 1;
	uint32_t	i;

	for (i = 0; i < 20; i++)
	{
		Buffer		m = {0};
		char		name[20];
		uint32_t	n;

		for (n = 30u << i / 4; n > 0; n--)
			put_byte(&m, (char) random_next(&state));
		snprintf(name, sizeof(name), "choices%u", i);
		save("encode", name, &m);
	}
}

/* ---- loadresult ------------------------------------------------------- */

static void
save_answer(const char *name, char status, char phase, const char *body)
{
	Buffer		m = {0};

	put_byte(&m, status);
	put_byte(&m, phase);
	put_bytes(&m, "\2\100", 2);
	put_printf(&m, "%s", body);
	save("loadresult", name, &m);
}

static void
save_answers(void)
{
	save_answer("success", 0, 2,
				"{\"TxnId\": 7, \"Label\": \"0123456789abcdef-1-"
				"000000000000beef-1\", \"Status\": \"Success\", \"Message\": "
				"\"OK\", \"NumberTotalRows\": 2, \"NumberLoadedRows\": 2, "
				"\"NumberFilteredRows\": 0}");
	save_answer("publish_timeout", 0, 2,
				"{\"Status\": \"Publish Timeout\", \"Message\": \"publish "
				"timeout\", \"NumberLoadedRows\": 2}");
	save_answer("label", 0, 1,
				"{\"Status\": \"Label Already Exists\", "
				"\"ExistingJobStatus\": \"FINISHED\", \"Message\": \"x\"}");
	save_answer("label_running", 0, 1,
				"{\"Status\": \"Label Already Exists\", "
				"\"ExistingJobStatus\": \"RUNNING\", \"Message\": \"x\"}");
	save_answer("bad_rows", 0, 2,
				"{\"Status\": \"Fail\", \"Message\": \"too many filtered "
				"rows\", \"ErrorURL\": \"http://be:8040/api/_load_error_log?"
				"file=error_log_1\"}");
	save_answer("versions", 0, 2,
				"{\"Status\": \"Fail\", \"Message\": \"too many versions\"}");
	save_answer("no_expect", 0, 0,
				"{\"status\": \"FAILED\", \"msg\": \"There is no 100-continue "
				"header\"}");
	save_answer("access", 6, 0,
				"{\"status\":\"FAILED\",\"code\":\"1\",\"msg\":\"Access "
				"denied\",\"message\":\"Access denied\"}");
	save_answer("state", 0, 0,
				"{\"state\": \"VISIBLE\", \"status\": \"OK\", \"msg\": "
				"\"Success\", \"label\": \"x\"}");
	save_answer("aborted", 0, 0,
				"{\"state\": \"ABORTED\", \"status\": \"OK\", \"reason\": "
				"\"cancelled by user\"}");
	save_answer("proxy", 9, 2, "<html><body>502 Bad Gateway</body></html>");
	save_answer("broken", 0, 0x12, "");
	save_answer("error_log", 0, 0,
				"Error: Value 'abc' is out of range. The type of 'n' is INT. "
				"Row: [1, \"abc\"]\nError: NULL value in non-nullable column "
				"'b'. Row: [2, NULL]\n");
}

int
main(int argc, char **argv)
{
	if (argc != 2)
	{
		fprintf(stderr, "usage: make_seeds <directory>\n");
		return 2;
	}
	directory = argv[1];
	mkdir(directory, 0777);
	make_directory("pgoutput");
	make_directory("encode");
	make_directory("loadresult");
	save_changes();
	save_other_messages();
	save_choices();
	save_answers();
	return 0;
}
