# Names of tables, columns and schemas with every kind of character in them, end to end.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

# as PostgreSQL reads them between double quotes
my @names = (
	'a.b', 'a..b.', "it's", 'q""u""o', 'back\\slash\\', '`tick``s`', '$1 $$', '%s%d%n', '100%', '{table}', '{schema}_x',
	' lead and trail ', 'semi;colon--', 'select', 'NULL', 'Ünï çødé', '日本語の表', "\xf0\x9f\x92\xa9 pile",
	'é' x 31, 'x' x 63, '0digits', '-', '#hash?query=1&b=[2]', '<a href="">', 'comma,s', 'eq=ual', 'UPPER', 'upper',
	'...', 'colon:', 'new', 'tab_' . ('y' x 59), '{"json": [1]}', '(paren)', '@at', '~', '*', '!', '|', '^', '+');
s/<a href="">/<a href="""">/, s/\{"json"/{""json""/ for @names;

my ($node, $target) = start_stream(
	run => 0,
	sql => join("\n", map { <<~"SQL" } 0 .. $#names),
		CREATE TABLE "$names[$_]" (id int PRIMARY KEY, v text);
		SQL
	publication => 'ALL TABLES',
	conf => "dbmazz.pipeline_buffer_size = 16MB\n",
	settings => ['flush_interval=0']);

# only for columns
my @more = ('/* c */', 'a/b', '..', 'dbmazz_op', 'op', '__opx', '_');

# What stands between the quotes, without the doubling.
sub bare { my ($name) = @_; $name =~ s/""/"/g; return $name }

# A literal of a name, for functions that take a table.
sub literal { my ($name) = @_; $name =~ s/'/''/g; return $name }

# ---- tables -------------------------------------------------------------------------

my %refused;
for my $name (@names)
{
	my $ddl = query($node, sprintf q(SELECT dbmazz.target_ddl('"%s"')), literal($name));
	$refused{$name} = $@ unless eval { $target->sql($ddl, 'shop'); 1 };
}
is(join("\n", map { $refused{$_} } sort keys %refused), '', 'target_ddl is understood for every name');
$node->run_pipeline('postgres', 'shop');
query($node, join '', map { <<~"SQL" } @names);
	INSERT INTO "$_" SELECT i, 'v' || i FROM generate_series(1, 5) i;
	UPDATE "$_" SET v = NULL, id = id + 10 WHERE id % 2 = 0;
	DELETE FROM "$_" WHERE id = 3;
	SQL
arrived($node);
is(stopped_tables($node), '', 'no table has stopped');
for my $name (@names)
{
	dbmazz::Compare::rows_equal($node, 'postgres', qq("$name"), $target, 'shop.' . bare($name));
}

# ---- columns ------------------------------------------------------------------------

# One table with all of them, some in the key; names that differ in case only are one for StarRocks.
my %seen;
my @columns = grep { !$seen{ lc $_ }++ } @names, @more;
my $list = join ', ', map { qq("$_" text) } @columns;
query($node, <<~"SQL");
	CREATE TABLE columns (id int, $list, PRIMARY KEY (id, "q""u""o", "a.b", "back\\slash\\"));
	SQL
$node->create_target('postgres', 'columns', $target, 'shop');
my $values = join ', ', map { "'v$_' || i" } 0 .. $#columns;
query($node, <<~"SQL");
	INSERT INTO columns SELECT i, $values FROM generate_series(1, 10) i;
	UPDATE columns SET "it's" = 'x', "eq=ual" = NULL, "select" = '{"a": 1}' WHERE id % 2 = 0;
	UPDATE columns SET "q""u""o" = '"', "a.b" = '', "back\\slash\\" = '\\' WHERE id % 3 = 0;
	DELETE FROM columns WHERE id % 5 = 0;
	SQL
same_rows($node, $target, 'columns');

# Large values that stay: a partial update names its columns.
query($node, <<~"SQL");
	ALTER TABLE columns ALTER "comma,s" SET STORAGE EXTERNAL;
	UPDATE columns SET "comma,s" = repeat('x', 5000);
	UPDATE columns SET "100%" = 'small', "`tick``s`" = 'small' WHERE id % 2 = 1;
	SQL
same_rows($node, $target, 'columns');

# ---- what cannot be ------------------------------------------------------------------

for my $case ([ 'a/b' => qr/rows cannot be sent to a table with the name "a\/b"/ ],
	[ '..' => qr/rows cannot be sent to a table with the name "\.\."/ ],
	[ "new\nline" => qr/rows cannot be sent to a table with the name/ ])
{
	my ($name, $message) = @$case;
	query($node, qq(CREATE TABLE "$name" (id int PRIMARY KEY)));
	my ($status, $out, $err) = $node->psql('postgres', qq(SELECT dbmazz.target_ddl('"$name"')));
	like($err, $message, 'target_ddl refuses the name of a table');
	like($err, qr/HINT:  Rename the table/, 'with a hint');
	query($node, qq(INSERT INTO "$name" VALUES (1)));
	like(wait_for_stop($node, $name), $message, 'so does the pipeline');
}
for my $case ([ '__op' => qr/column "__op" of table "reserved" has a name that StarRocks reserves/ ],
	[ '__OP' => qr/column "__OP" of table "reserved"/ ],
	[ "new\nline" => qr/a column of table "reserved" has a control character/ ])
{
	my ($name, $message) = @$case;
	query($node, qq(CREATE TABLE reserved (id int PRIMARY KEY, "$name" text)));
	my ($status, $out, $err) = $node->psql('postgres', q(SELECT dbmazz.target_ddl('reserved')));
	like($err, $message, 'target_ddl refuses the name of a column');
	query($node, 'DROP TABLE reserved');
}
$target->sql('CREATE TABLE reserved (id INT NOT NULL, v STRING) PRIMARY KEY (id) DISTRIBUTED BY HASH (id)', 'shop');
query($node, <<~'SQL');
	CREATE TABLE reserved (id int PRIMARY KEY, v text);
	INSERT INTO reserved VALUES (1, 'a'), (2, 'b');
	ALTER TABLE reserved ADD COLUMN "__op" int DEFAULT 1;
	UPDATE reserved SET v = 'never deleted' WHERE id = 1;
	SQL
like(wait_for_stop($node, 'reserved'), qr/a name that StarRocks reserves/, 'so does the pipeline');
is($target->count('shop', 'reserved'), 2, 'no row was taken for a DELETE');

# ---- schemas ---------------------------------------------------------------------------

my @schemas = ('s.1', 'S 2', 'sché"ma', "it's", 'b`ack\\');
query($node, 'CREATE PUBLICATION schemas');
for my $i (0 .. $#schemas)
{
	(my $quoted = $schemas[$i]) =~ s/"/""/g;
	query($node, <<~"SQL");
		CREATE SCHEMA "$quoted";
		CREATE TABLE "$quoted"."Ta.ble" (id int PRIMARY KEY, v text);
		ALTER PUBLICATION schemas ADD TABLE "$quoted"."Ta.ble";
		SQL
	my $ddl = query($node, sprintf <<~'SQL', literal($quoted));
		SET dbmazz.table_name_template = 'x_{schema}__{table}';
		SELECT dbmazz.target_ddl('"%s"."Ta.ble"');
		SQL
	$target->sql($ddl, 'shop');
}
query($node, <<~'SQL');
	SELECT dbmazz.stop_pipeline('shop');
	SELECT dbmazz.create_pipeline('schemas', publication => 'schemas', slot => 'schemas', copy => false,
		settings => '{flush_interval=0,"table_name_template=x_{schema}__{table}"}');
	SQL
$node->run_pipeline('postgres', 'schemas');
for my $schema (@schemas)
{
	(my $quoted = $schema) =~ s/"/""/g;
	query($node, <<~"SQL");
		INSERT INTO "$quoted"."Ta.ble" SELECT i, 'v' FROM generate_series(1, 5) i;
		UPDATE "$quoted"."Ta.ble" SET id = -id WHERE id > 3;
		SQL
	$node->wait_for_target('postgres', 'schemas');
	dbmazz::Compare::rows_equal($node, 'postgres', qq("$quoted"."Ta.ble"), $target, "shop.x_${schema}__Ta.ble");
}

$node->stop;
done_testing();
