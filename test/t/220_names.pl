# Names of all kinds; tables of one name in two schemas.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my $long = 'a' x 62 . 'Z';
my @tables = ('"Mixed Case"', '"tàblé_日本"', '"we""ird `name`"', qq("$long"), '"order"', '"a.b?d&e=f%41#g"', '"sp ace"');
my $column = '"Spältë 名"';

my ($node, $target) = start_stream(
	sql => join("\n", map { <<~"SQL" } @tables)
		CREATE TABLE $_ ("Id" int, "select" int, "dollar\$1" text, "double" text, $column text,
			"x y" numeric(10,2), "$long" bool NOT NULL DEFAULT true, "comma,name" text, "colon:'x'" text,
			"per%cent" text, PRIMARY KEY ("Id", "select"));
		SQL
	  . <<~'SQL',
		CREATE SCHEMA a; CREATE SCHEMA b; CREATE SCHEMA a_b;
		CREATE TABLE a.orders (id int PRIMARY KEY, note text);
		CREATE TABLE b.orders (id int PRIMARY KEY, note text);
		CREATE TABLE a.b_c (id int PRIMARY KEY);
		CREATE TABLE a_b.c (id int PRIMARY KEY);
		SQL
	publication => 'TABLE ' . join(', ', @tables),
	run => 0,
	settings => ['flush_interval=0']);

# The target has no letter for some of these: then the table has none.
my @possible;
for my $table (@tables)
{
	push @possible, $table if eval { $node->create_target('postgres', $table, $target, 'shop'); 1 };
	diag("no target for $table: $@") if $@;
}
cmp_ok(scalar @possible, '>=', 4, 'most names are possible in the target');
$node->run_pipeline('postgres', 'shop');

for my $table (@possible)
{
	(my $name = $table) =~ s/^"|"$//g;
	$name =~ s/""/"/g;
	query($node, <<~"SQL");
		INSERT INTO $table SELECT i, i % 3, 'b' || i, NULL, 'c', i / 4.0, i % 2 = 0, ',', ':', '\\'
			FROM generate_series(1, 20) i;
		UPDATE $table SET "double" = 'x', $column = NULL WHERE "Id" % 2 = 0;
		UPDATE $table SET "select" = "select" + 10 WHERE "Id" % 3 = 0;
		DELETE FROM $table WHERE "Id" % 5 = 0;
		SQL
	arrived($node);
	dbmazz::Compare::rows_equal($node, 'postgres', $table, $target, "shop.$name");
}
is(stopped_tables($node), '', 'no table has stopped');

# ---- two schemas ----------------------------------------------------------------------------

sub create_and_start
{
	my ($name, $tables, $settings) = @_;
	my ($status, $out, $err) = $node->psql('postgres', <<~"SQL", on_error_stop => 1);
		CREATE PUBLICATION $name FOR TABLE $tables;
		SELECT dbmazz.create_pipeline('$name', publication => '$name', slot => '$name', copy => false,
			settings => '{flush_interval=0,pipeline_buffer_size=8MB$settings}');
		SELECT dbmazz.start_pipeline('$name');
		SQL
	return $err;
}

my $err = create_and_start('collide', 'a.orders, b.orders', '');
like($err, qr/tables a\.orders and b\.orders have the same target "orders"/, 'a collision is refused');
like($err, qr/table_name_template/, 'with a hint');
$err = create_and_start('collide2', 'a.b_c, a_b.c', ',"table_name_template={schema}_{table}"');
like($err, qr/same target "a_b_c"/, 'also where the template makes one');

$target->sql("CREATE TABLE cdc_$_ (id INT NOT NULL, note STRING) PRIMARY KEY (id) DISTRIBUTED BY HASH (id)", 'shop')
  for 'a_orders', 'b_orders';
is(create_and_start('schemas', 'a.orders, b.orders', ',"table_name_template=cdc_{schema}_{table}"'), '',
	'a template with the schema tells them apart');
$node->wait_for_state('postgres', 'schemas', 'streaming');
query($node, <<~'SQL');
	INSERT INTO a.orders SELECT i, 'a' FROM generate_series(1, 20) i;
	INSERT INTO b.orders SELECT i, 'b' FROM generate_series(11, 40) i;
	UPDATE a.orders SET id = id + 100 WHERE id > 15;
	DELETE FROM b.orders WHERE id % 2 = 0;
	SQL
$node->wait_for_target('postgres', 'schemas');
dbmazz::Compare::rows_equal($node, 'postgres', "$_.orders", $target, "shop.cdc_${_}_orders") for 'a', 'b';

# Tables that begin to collide while it runs are not merged.
query($node, <<~'SQL');
	CREATE SCHEMA c;
	CREATE TABLE c."order" (LIKE "order" INCLUDING ALL);
	SQL
my ($status, $out, $error) = $node->psql('postgres', <<~'SQL');
	ALTER PUBLICATION dbmazz_pub ADD TABLE c."order";
	INSERT INTO c."order" ("Id", "select") VALUES (1, 1), (1000, 1);
	UPDATE "order" SET "double" = 'still ours';
	INSERT INTO "sp ace" ("Id", "select") VALUES (1000, 1);
	SQL
like(wait_for_stop($node, 'order'), qr/same target/, 'a collision that begins later stops the target table');
query($node, q(UPDATE "sp ace" SET "double" = 'goes on'));
arrived($node);
dbmazz::Compare::rows_equal($node, 'postgres', '"sp ace"', $target, 'shop.sp ace');
query($node, q(ALTER PUBLICATION dbmazz_pub DROP TABLE c."order"));

# Nor when it goes on at the place where the other table comes first.
restart_stream($node);
like(wait_for_stop($node, 'order'), qr/same target.*drop the pipeline/s, 'it stops there again, and tells the remedy');
is($target->sql('SELECT count(*) FROM `order` WHERE `Id` = 1000', 'shop'), 0, 'no row of the other table came');

$node->stop;
done_testing();
