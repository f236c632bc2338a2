# Every built-in type with its extremes, and what becomes of values that the
# target cannot hold, under each policy of dbmazz.unrepresentable.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use dbmazz::Stream;

# Columns that hold everything their type does: name => [type, value, ...].
my %exact = (
	num => [ 'numeric', 'NaN', 'Infinity', '-Infinity', '-0', '1.500', '0.' . '0' x 16000 . '1', '9' x 1000 . '.5' ],
	num_big => [ 'numeric(50,10)', 'NaN', '1234567890123456789012345678901234567890.0000000001' ],
	num_low => [ 'numeric(3,5)', 'NaN', '0.00999', '-0.00001' ],
	num_neg => [ 'numeric(5,-2)', 'NaN', '-9999900' ],
	dec => [ 'numeric(38,10)', '9' x 28 . '.9999999999', '-' . '9' x 28 . '.9999999999', '0', '0.0000000001' ],
	f4 => [ 'real', '3.4028235e38', '-3.4028235e38', '1.17549435e-38', '1e-45', '-1e-45', '-0', '0.1', '16777217' ],
	f8 => [ 'double precision', '1.7976931348623157e308', '-1.7976931348623157e308', '5e-324', '-0', '0.1',
		'123456789012345678', '1e15', '1e-5', '2.2250738585072014e-308' ],
	cash => [ 'money', '-92233720368547758.08', '92233720368547758.07', '0' ],
	d => [ 'date', '0001-01-01', '9999-12-31', '2000-02-29' ],
	ts => [ 'timestamp', '0001-01-01 00:00:00.000001', '9999-12-31 23:59:59.999999', '2000-01-01 00:00:00.1' ],
	tz => [ 'timestamptz', '0001-01-01 00:00:00+00', '9999-12-31 23:59:59.999999+00', '2024-03-10 02:30:00-08' ],
	t => [ 'time', '24:00:00', '00:00', '23:59:59.999999' ],
	ttz => [ 'timetz', '24:00:00-15:59', '00:00+15:59:59', '12:34:56.7' ],
	iv => [ 'interval', '-178000000 years', '1 mon -1 day +00:00:00.000001', '0', '178000000 years 11 mons 30 days' ],
	ch => [ '"char"', 'x', '', '"' ],
	hex => [ 'bytea', '\x', '\x00', '\xff5c00227b' ],
	oids => [ 'oid', '4294967295', '0' ],
	xids => [ 'xid8', '18446744073709551615', '0' ],
	bits => [ 'bit(9)', '101010101', '000000000' ],
	vbits => [ 'varbit', '', '1', '01' ],
	ip => [ 'inet', '::ffff:1.2.3.4/128', '0.0.0.0/0' ],
	mac8 => [ 'macaddr8', '08:00:2b:01:02:03:04:05' ],
	lsn => [ 'pg_lsn', 'FFFFFFFF/FFFFFFFF', '0/0' ],
	tsv => [ 'tsvector', q('a'':b':1A,2 '\\\\':3), '' ],
	tsq => [ 'tsquery', q('a' & !'b c' <-> 'd':*A), '' ],
	geo => [ 'point', '(NaN,Infinity)', '(1e-300,-0)' ],
	geo2 => [ 'polygon', '((0,0),(1,1),(1,0))' ],
	geo3 => [ 'path', '[(0,0),(1,1)]', '((0,0),(1,1))' ],
	geo4 => [ 'circle', '<(1,2),3>' ],
	geo5 => [ 'line', '{1,-1,0}' ],
	geo6 => [ 'lseg', '[(1,2),(3,4)]' ],
	geo7 => [ 'box', '(1,1),(0,0)' ],
	r1 => [ 'int8range', 'empty', '[1,10)', '(,)' ],
	r2 => [ 'numrange', '(1.50,Infinity]', '[-Infinity,NaN)' ],
	r3 => [ 'tstzrange', '["2024-01-01 00:00:00+00",infinity]', '[,"0044-01-01 00:00:00+00 BC")' ],
	r4 => [ 'daterange', '[-infinity,2024-01-01)' ],
	mr => [ 'int4multirange', '{}', '{[1,2),[5,8)}' ],
	mr2 => [ 'tsmultirange', '{["2024-01-01 00:00:00","2024-01-02 00:00:00")}' ],
	a1 => [ 'int[]', '{}', '{1,NULL,-3}', '{{1,2},{3,4}}', '[-1:1]={1,2,3}', '[0:0][5:6]={{1,2}}' ],
	a2 => [ 'text[]', '{"",NULL,"NULL","a \"b\" \\\\ {},"}', '{{a,b},{c,d}}', '[2:2]={x}' ],
	a3 => [ 'numeric[]', '{NaN,Infinity,1.50}' ],
	a4 => [ 'date[]', '{infinity,"0044-03-15 BC",10000-01-01}' ],
	a5 => [ 'jsonb[]', '{"{\"a\": [1, null]}",NULL}' ],
	a6 => [ 'float8[]', '{NaN,-0,-Infinity,5e-324}' ],
	a7 => [ 'bytea[]', '{"\\\\x00ff",NULL}' ],
	a8 => [ 'timestamptz[]', '{"2024-01-01 00:00:00+00",infinity}' ],
	a9 => [ 'pair[]', '{"(1,\"a b\")","(,)"}' ],
	p => [ 'pair', '(1,"a ""b"", (c)")', '(,)' ],
	pp => [ 'nested', '("(1,x)","{1,2}",sad)' ],
	en => [ 'mood', 'sad', q(it's "fine") ],
	dom => [ 'outermost', '1.5000', '99999999.9999' ],
	doma => [ 'list', '{1,2}' ],
	domj => [ 'doc', '{"a": 1}' ],
	x => [ 'xml', '<a b="c">&amp;</a>', 'text', '<?xml version="1.0"?><a/>' ],
	js => [ 'json', '{"a":"\u00e4\ud83d\ude00\\\\u0000"}', ' [1.10, 1e10, -0, 18446744073709551615] ', 'true', '""',
		'[' x 900 . ']' x 900 ],
	jb => [ 'jsonb', '{"b": 1, "a": {"c": [null, -9223372036854775808]}}', '1e18', '"x"', '0.10' ],
	jp => [ 'jsonpath', '$."a"[*]?(@ > 1)' ],
	nm => [ 'name', 'a name', 'ö' x 31 ],
	c5 => [ 'char(5)', 'a', '', 'äöü' ],
	v3 => [ 'varchar(3)', '😀😀😀', '' ],
	u => [ 'uuid', 'ffffffff-ffff-ffff-ffff-ffffffffffff' ],
	reg => [ 'regtype', 'integer', 'interval' ],
	int2v => [ 'int2vector', '1 2 3' ],
	snap => [ 'pg_snapshot', '10:20:10,14' ],
	yes => [ 'boolean', 'true', 'false' ],
	i2 => [ 'smallint', '-32768', '32767' ],
	i4 => [ 'integer', '-2147483648', '2147483647' ],
	i8 => [ 'bigint', '-9223372036854775808', '9223372036854775807' ],
	txt => [ 'text', '', 'a "b" \\ c' ],
	bp => [ 'bpchar', '', 'a  ' ],
	xid => [ 'xid', '4294967295', '0' ],
	cid => [ 'cid', '4294967295', '0' ],
	tid => [ 'tid', '(0,1)', '(4294967294,65535)' ],
	net => [ 'cidr', '10.0.0.0/8', '::/0' ],
	mac => [ 'macaddr', '08:00:2b:01:02:03' ],
	oidv => [ 'oidvector', '', '1 2 4294967295' ],
	acl => [ 'aclitem', 'pg_monitor=r*w/pg_monitor', '=r/pg_monitor' ],
	cur => [ 'refcursor', 'a "cursor"' ],
	tx => [ 'txid_snapshot', '10:20:10,14' ],
	reg_1 => [ 'regproc', 'now', '-', '4000000000' ],
	reg_2 => [ 'regprocedure', 'abs(numeric)', '4000000000' ],
	reg_3 => [ 'regoper', '||/', '4000000000' ],
	reg_4 => [ 'regoperator', '*(integer,integer)', '4000000000' ],
	reg_5 => [ 'regclass', 'pg_class', '4000000000' ],
	reg_6 => [ 'regconfig', 'simple', '4000000000' ],
	reg_7 => [ 'regdictionary', 'simple', '4000000000' ],
	reg_8 => [ 'regnamespace', 'pg_catalog', '4000000000' ],
	reg_9 => [ 'regrole', 'pg_monitor', '4000000000' ],
	reg_a => [ 'regcollation', '"POSIX"', '4000000000' ]);

# What the target cannot hold: name, type, value, message, what it is under
# "clamp" (undef: NULL).
my @unfit = (
	[ 'dec_nan', 'numeric(10,2)', 'NaN', 'the number is NaN', undef ],
	[ 'f4_nan', 'real', 'NaN', 'the number is NaN', undef ],
	[ 'f4_inf', 'real', 'Infinity', 'the number is infinite', '3.4028235e+38' ],
	[ 'f8_inf', 'float8', '-Infinity', 'the number is infinite', '-1.7976931348623157e+308' ],
	[ 'd_inf', 'date', 'infinity', 'the date is infinite', '9999-12-31' ],
	[ 'd_low', 'date', '-infinity', 'the date is infinite', '0001-01-01' ],
	[ 'd_bc', 'date', '0044-03-15 BC', 'the date is before the year 1', '0001-01-01' ],
	[ 'd_far', 'date', '5874897-12-31', 'the date is after the year 9999', '9999-12-31' ],
	[ 'ts_far', 'timestamp', '294276-12-31 23:59:59.999999', 'the date is after the year 9999',
		'9999-12-31 23:59:59.999999' ],
	[ 'ts_bc', 'timestamp', '4713-01-01 00:00:00 BC', 'the date is before the year 1', '0001-01-01 00:00:00.000000' ],
	[ 'tz_inf', 'timestamptz', 'infinity', 'the date is infinite', '9999-12-31 23:59:59.999999' ],
	[ 'tz_bc', 'timestamptz', '0001-12-31 23:59:59+00 BC', 'the date is before the year 1',
		'0001-01-01 00:00:00.000000' ],
	[ 'js_nul', 'json', '{"a":"x\u0000"}', 'an escape that is no character', "{\"a\":\"x\\uFFFD\"}" ],
	[ 'js_half', 'json', '["\ud800"]', 'an escape that is no character', "[\"\\uFFFD\"]" ],
	[ 'js_int', 'jsonb', '[123456789012345678901234567890]', 'a number beyond 64 bits or DOUBLE',
		'[123456789012345678901234567890.0]' ],
	[ 'js_exp', 'json', '-1e400', 'a number beyond 64 bits or DOUBLE', '-1.7976931348623157e308' ],
	[ 'js_deep', 'jsonb', '[' x 1001 . ']' x 1001, 'nested too deeply', undef ]);

sub literal
{
	my ($value) = @_;
	$value =~ s/'/''/g;
	return "'$value'";
}

my $columns = join ', ', map { "$_ $exact{$_}[0]" } sort keys %exact;
my $unfit_columns = join ', ', map { "$_->[0] $_->[1]" } @unfit;
my @one = map { "one_$_->[0]" } @unfit;

my ($node, $target) = start_stream(
	sql => <<~"SQL" . join('', map { "CREATE TABLE one_$_->[0] (id int PRIMARY KEY, v $_->[1]);\n" } @unfit),
		CREATE TYPE pair AS (a int, b text);
		CREATE TYPE mood AS ENUM ('sad', 'it''s "fine"');
		CREATE TYPE nested AS (p pair, a int[], m mood);
		CREATE DOMAIN inner_one AS numeric(12,4);
		CREATE DOMAIN middle AS inner_one CHECK (VALUE >= 0);
		CREATE DOMAIN outermost AS middle NOT NULL DEFAULT 0;
		CREATE DOMAIN list AS int[];
		CREATE DOMAIN doc AS jsonb;
		CREATE TABLE exact ();
		ALTER TABLE exact ADD id int PRIMARY KEY, ADD ${\ join ', ADD ', split /, (?=[a-z])/, $columns };
		CREATE TABLE unfit (id int PRIMARY KEY, $unfit_columns, big text, bin bytea);
		CREATE TABLE musts (id int PRIMARY KEY, d date NOT NULL, f float8 NOT NULL, j json NOT NULL);
		CREATE TABLE key_date (d date PRIMARY KEY, v int);
		CREATE TABLE key_f8 (k float8 PRIMARY KEY, v int);
		CREATE TABLE key_f4 (k real PRIMARY KEY, v int);
		CREATE TABLE key_num (k numeric PRIMARY KEY, v int);
		CREATE TABLE key_dec (k numeric(10,2) PRIMARY KEY, v int);
		CREATE TABLE key_bin (k bytea PRIMARY KEY, v int);
		CREATE TABLE key_arr (k int[] PRIMARY KEY, v int);
		CREATE TABLE byte (id int PRIMARY KEY, c "char");
		SQL
	tables => [ qw(exact unfit musts key_date key_f8 key_f4 key_num key_dec key_bin key_arr byte), @one ],
	settings => ['flush_interval=0']);

is(query($node, <<~'SQL'), '', 'every type that a column can have is here');
	SELECT typname FROM pg_type
	WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b' AND typelem = 0 AND typname !~ '^(pg_|gtsvector)'
		AND oid NOT IN (SELECT atttypid FROM pg_attribute WHERE attrelid = 'exact'::regclass)
	SQL

# ---- what fits ----------------------------------------------------------------------

my $id = 0;
for my $name (sort keys %exact)
{
	my ($type, @values) = @{ $exact{$name} };
	query($node, join '', map { $id++; "INSERT INTO exact (id, $name) VALUES ($id, ${\ literal($_) });\n" } @values);
}
same_rows($node, $target, 'exact');
is(stopped_tables($node), '', 'every value of every type arrives') or BAIL_OUT(query($node, 'TABLE dbmazz.stat_table'));

# The text itself, where the comparison has canonical forms.
sub source_text
{
	my ($column) = @_;
	return query($node, "SET lc_monetary = 'C'; SELECT coalesce($column\::text, '') FROM exact WHERE $column IS NOT NULL ORDER BY id");
}
for my $name (qw(num num_big num_low num_neg a1 a2 a3 a6 r2 cash iv ttz))
{
	is($target->sql("SELECT $name FROM exact WHERE $name IS NOT NULL ORDER BY id", 'shop'), source_text($name),
		"$exact{$name}[0]: the same text");
}
is($target->sql(q(SELECT count(*) FROM exact WHERE CAST(f8 AS VARCHAR) = '-0.0'), 'shop'), 1, 'the sign of -0 is kept');

# ---- keys ---------------------------------------------------------------------------

my %keys = (
	key_f8 => [qw(NaN Infinity -Infinity 0.1 5e-324 -1e300)], key_f4 => [qw(NaN Infinity 3.4028235e38 1e-45)],
	key_num => [qw(NaN Infinity -Infinity 1.50 123456789012345678901234567890.123)],
	key_dec => [qw(NaN 1.5 -99999999.99)], key_bin => [ '\x', '\x00ff', '\x5c78' ], key_arr => [ '{}', '{1,NULL}', '[0:1]={1,2}' ]);
for my $table (sort keys %keys)
{
	my $n = 0;
	query($node, join '', map { $n++; "INSERT INTO $table VALUES (${\ literal($_) }, $n);\n" } @{ $keys{$table} });
	query($node, "UPDATE $table SET v = v + 10; DELETE FROM $table WHERE v = 11");
	arrived($node);
	my $form = $table eq 'key_bin' ? "encode(k, 'hex')" : 'k::text';
	is($target->sql("SELECT k, v FROM $table ORDER BY v", 'shop'), query($node, "SELECT $form, v FROM $table ORDER BY v"),
		"$table: keys are sent as text");
}

# One byte that is no character: sent as servers from 16 on show it.
query($node, q(INSERT INTO byte SELECT 1, e.enumlabel FROM (SELECT 'a'::"char" AS enumlabel) e;
	INSERT INTO byte VALUES (2, (-23)::int::"char"), (3, ((-128)::int)::"char")));
arrived($node);
is($target->sql('SELECT c FROM byte ORDER BY id', 'shop'), "a\n\\351\n\\200", 'bytes of "char" beyond ASCII');

# ---- what does not fit: error -------------------------------------------------------

for my $unfit (@unfit)
{
	my ($name, $type, $value, $message) = @$unfit;
	query($node, "INSERT INTO one_$name VALUES (7, ${\ literal($value) }), (8, NULL)");
	my $said = wait_for_stop($node, "one_$name");
	my $shown = length $value > 90 ? quotemeta substr($value, 0, 90) : quotemeta $value;
	like($said, qr/cannot send column "v" of table "public\.one_$name": .*\Q$message\E/, "$type $value: table, column, reason")
	  if length $value < 90;
	like($said, qr/Key \(id\)=\(7\), value "$shown/, substr("$type $value", 0, 60) . ': key and value');
	like($said, qr/unrepresentable.*dbmazz\.alter_pipeline/, 'the remedy');
}
like(query($node, q(SELECT error FROM dbmazz.stat_table WHERE target = 'one_js_deep')), qr/nested too deeply/, 'depth');
is(query($node, q(SELECT state FROM dbmazz.stat_pipeline)), 'streaming', 'the pipeline runs');
query($node, q(INSERT INTO musts VALUES (1, '2024-01-01', 1, 'null')));
same_rows($node, $target, 'exact');
is($target->sql('SELECT j IS NULL FROM musts', 'shop'), 1, 'the document null is NULL, even if the column is NOT NULL');

# ---- null: the stopped tables go on from their positions --------------------------------

sub set_policy
{
	my ($policy) = @_;
	return restart_stream($node, sub {
		query($node, qq(SELECT dbmazz.alter_pipeline('shop', settings => '{flush_interval=0,unrepresentable=$policy}')));
	});
}

sub insert_unfit
{
	my ($n) = @_;
	query($node, "INSERT INTO unfit (id, " . join(', ', map { $_->[0] } @unfit) . ") VALUES ($n, "
		  . join(', ', map { literal($_->[2]) } @unfit) . ')');
	query($node, "INSERT INTO unfit (id, big, bin) VALUES ($n + 1, repeat('x', 1048575) || 'é', "
		  . "decode(repeat('ab', 1048577), 'hex'))");
	arrived($node);
	return;
}

set_policy('null');
arrived($node);
is(stopped_tables($node), '', 'null: all tables go on');
is($target->sql("SELECT id, v IS NULL FROM $_ ORDER BY id", 'shop'), "7|1\n8|1", "null: $_") for @one;
insert_unfit(1);
is($target->sql('SELECT ' . join(' + ', map { "CAST($_->[0] IS NULL AS INT)" } @unfit) . ' FROM unfit WHERE id = 1', 'shop'),
	scalar @unfit, 'null: all values of a row that do not fit are NULL');
is($target->sql('SELECT big IS NULL, bin IS NULL FROM unfit WHERE id = 2', 'shop'), '1|1', 'null: so are those that are too long');
query($node, q(INSERT INTO musts VALUES (2, 'infinity', 1, '1')));
like(wait_for_stop($node, 'musts'), qr/"d" of table "public\.musts".*infinite, and the column is NOT NULL/s,
	'null: not where the source is NOT NULL');
query($node, q(INSERT INTO key_date VALUES ('infinity', 1)));
like(wait_for_stop($node, 'key_date'), qr/"d" of table "public\.key_date".*infinite, and key columns are never changed/s,
	'null: not in a key');

# ---- clamp ----------------------------------------------------------------------------

set_policy('clamp');
insert_unfit(11);
for my $unfit (@unfit)
{
	my ($name, $type, $value, undef, $clamped) = @$unfit;
	my $got = (grep { /"id":11,/ } @{ $target->rows('shop', 'unfit') })[0];
	my $row = JSON::PP->new->allow_bignum->decode($got);
	my $is = $row->{$name};
	$is = sprintf '%.17g', $is if defined $is && $type =~ /^(real|float8)$/;
	my $expected = defined $clamped && $type =~ /^(real|float8)$/ ? sprintf('%.17g', $clamped) : $clamped;
	is($is, $expected, 'clamp: ' . substr("$type $value", 0, 60));
}
is($target->sql('SELECT length(big), right(big, 1), length(bin) FROM unfit WHERE id = 12', 'shop'), '1048575|x|1048576',
	'clamp: cut between characters, and to the longest VARBINARY');
is($target->sql('SELECT d FROM musts WHERE id = 2', 'shop'), '9999-12-31', 'clamp: also where the source is NOT NULL');
query($node, q(INSERT INTO musts VALUES (3, 'infinity', 'NaN', '1')));
like(wait_for_stop($node, 'musts'), qr/"f" of table "public\.musts".*NaN, and the column is NOT NULL/s,
	'clamp: nothing is near NaN');
like(wait_for_stop($node, 'key_date'), qr/key columns are never changed/, 'clamp: not in a key');
same_rows($node, $target, 'exact');

$node->stop;
done_testing();
