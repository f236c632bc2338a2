/*
 * types.c
 *		Prints the README's tables of types from the table in src/core/typemap.c.
 */
#include <stdio.h>
#include <string.h>

#include "core/typemap.h"

#define TYPE_SIZE	64

static const char *
or_dash(const char *text)
{
	return text != NULL ? text : "–";
}

static void
key_type(const DbmazzType *type, char out[TYPE_SIZE])
{
	char		bare[TYPE_SIZE - 2];

	if (!dbmazz_type_target(type->typid, -1, true, bare, sizeof(bare)))
		strcpy(out, "cannot be one");
	else if (strcmp(bare, type->target) == 0)
		strcpy(out, "the same");
	else
		snprintf(out, TYPE_SIZE, "`%s`", bare);
}

/* Types that differ in nothing but their names share a line. */
static bool
same_line(const DbmazzType *a, const DbmazzType *b)
{
	return a->remark == NULL && b->remark == NULL &&
		a->value_class == b->value_class && a->can_be_key == b->can_be_key &&
		strcmp(a->target, b->target) == 0;
}

static void
print_types(void)
{
	int			count;
	const DbmazzType *types = dbmazz_type_table(&count);
	const DbmazzOtherType *others;
	int			i;
	int			j;

	printf("| PostgreSQL | StarRocks | as a key | sent as | remarks |\n"
		   "|---|---|---|---|---|\n");
	for (i = 0; i < count; i++)
	{
		char		key[TYPE_SIZE];

		for (j = 0; j < i && !same_line(&types[j], &types[i]);)
			j++;
		if (j < i)
			continue;
		key_type(&types[i], key);
		printf("| ");
		for (j = i; j < count; j++)
		{
			if (j == i || same_line(&types[i], &types[j]))
				printf("%s`%s`", j == i ? "" : ", ", types[j].name);
		}
		printf(" | `%s` | %s | %s | %s |\n", types[i].target, key,
			   dbmazz_class_text(types[i].value_class)->name,
			   types[i].remark != NULL ? types[i].remark : "");
	}
	others = dbmazz_other_types(&count);
	for (i = 0; i < count; i++)
	{
		printf("| %s | ", others[i].name);
		if (others[i].target == NULL)
			printf("| | | %s |\n", others[i].remark);
		else
		{
			char		key[TYPE_SIZE];

			(void) dbmazz_type_target(0, -1, true, key, sizeof(key));
			printf("`%s` | `%s` | %s | %s |\n", others[i].target, key,
				   dbmazz_class_text(DBMAZZ_VALUE_STRING)->name,
				   others[i].remark);
		}
	}
}

static void
print_classes(void)
{
	int			i;

	printf("\n| sent as | in JSON | what StarRocks cannot hold | "
		   "with `clamp` |\n|---|---|---|---|\n");
	for (i = 0; i <= DBMAZZ_LAST_VALUE_CLASS; i++)
	{
		const DbmazzClassText *text = dbmazz_class_text((uint8_t) i);

		printf("| %s | %s | %s | %s |\n", text->name, text->form,
			   or_dash(text->unfit), or_dash(text->clamp));
	}
}

int
main(void)
{
	print_types();
	print_classes();
	return 0;
}
