# The fast path writes what pgoutput writes: random values of common types, every replica identity, and DDL of
# all kinds between and inside transactions.  Each part runs compared (verify), and then for itself (on), where
# source and target must agree.

use strict;
use warnings;

use Test::More;

use dbmazz::Load qw(break_at clear_breaks wait_until);
use dbmazz::Stream;

my @tables = qw(items whole narrow typed edges labels);

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TYPE mood AS ENUM ('sad', 'so so', 'happy');
		CREATE TYPE pair AS (a int, b text);
		CREATE DOMAIN price AS numeric(12,4);
		CREATE TABLE items (id int PRIMARY KEY, i2 smallint, i4 int, i8 bigint, o oid, b bool, f4 real, f8 float8,
			n numeric, n2 numeric(20,5), d date, t time, ts timestamp, tz timestamptz, u uuid, bin bytea, s text,
			v varchar(40), c char(8), j json, jb jsonb, m mood, p price, ia int[], ta text[], pr pair, iv interval);
		CREATE TABLE whole (LIKE items INCLUDING ALL);
		ALTER TABLE whole REPLICA IDENTITY FULL;
		CREATE TABLE narrow (id int PRIMARY KEY, a int, b text, c text);
		ALTER TABLE narrow ALTER c SET STORAGE EXTERNAL;
		CREATE TABLE typed (id int PRIMARY KEY, m mood, p price, ms mood[], ps price[], pr pair, prs pair[], r int4range);

		CREATE TABLE edges (id int PRIMARY KEY, i2 smallint, i4 int, i8 bigint, f4 real, f8 float8, n numeric, d date,
			t time, ts timestamp, tz timestamptz, bin bytea, jb jsonb, i2a int2[], i4a int4[], i8a int8[], oa oid[],
			f4a float4[], f8a float8[], na numeric[], bla bool[], ta text[], va varchar(40)[], ca char(8)[], da date[],
			tia time[], tsa timestamp[], tza timestamptz[], ua uuid[], bya bytea[], ja json[], jba jsonb[], ma mood[],
			pa price[], pra pair[]);

		-- more labels than the fast path keeps
		DO $$ BEGIN
			EXECUTE (SELECT format('CREATE TYPE many AS ENUM (%s)', string_agg(quote_literal('label ' || g), ', ' ORDER BY g))
				FROM generate_series(1, 64) g);
		END $$;
		CREATE TABLE labels (m many PRIMARY KEY, n int);

		-- any value of the type, with a bias to small ones
		CREATE FUNCTION item(i int) RETURNS items LANGUAGE sql AS $$
			SELECT i, (random() * 65535 - 32768)::smallint, (random() * 4294967295 - 2147483648)::int,
				(random() * 1e18 - 5e17)::bigint >> (random() * 60)::int, (random() * 4294967295)::bigint::oid,
				random() < 0.5, (random() - 0.5) * 10 ^ (random() * 60 - 30), (random() - 0.5) * 10 ^ (random() * 600 - 300),
				CASE WHEN random() < 0.9 THEN ((random() - 0.5) * 10 ^ (random() * 30 - 15))::numeric END,
				round(((random() - 0.5) * 10 ^ (random() * 14))::numeric, 5)::numeric(20,5),
				'0001-01-01'::date + (random() * 3650000)::int, 'epoch'::timestamp::time + random() * interval '1 day',
				'0001-01-01'::timestamp + random() * interval '9990 years',
				date_trunc((ARRAY['second', 'milliseconds', 'microseconds'])[1 + (random() * 2)::int],
					'0001-01-02'::timestamptz + random() * interval '9990 years'),
				md5(random()::text)::uuid, decode(left(md5(random()::text), 2 * (random() * 16)::int), 'hex'),
				repeat(md5(random()::text), (random() * 4)::int) || E'\u00e9\\"\n', left(md5(random()::text), 20)::varchar(40),
				left(md5(random()::text), 5)::char(8), '{"a": [1, 2.50, null]}'::json, jsonb_build_object('k', random(), 'l', 'x"y'),
				(ARRAY['sad', 'so so', 'happy'])[1 + (random() * 2)::int]::mood, round((random() * 9999)::numeric, 4)::price,
				ARRAY[1, NULL, i], ARRAY['a"b', NULL, '{'], ROW(i, 'x,y')::pair, random() * interval '10 days'
		$$;
		SQL
	tables => \@tables,
	publication => 'ALL TABLES',
	conf => "dbmazz.debug_point = ''\n",
	settings => [ 'flush_interval=0', 'fast_path=verify', 'unrepresentable=clamp' ]);

sub set_mode
{
	my ($mode) = @_;
	restart_stream($node, sub {
		query($node, "SELECT dbmazz.alter_pipeline('shop', settings => ARRAY['flush_interval=0', 'fast_path=$mode',
			'unrepresentable=clamp'])");
	});
	return;
}

# ---- it is used, and verify is --------------------------------------------------------------

sub reaches_point
{
	my ($mode, $what) = @_;
	my $offset = -s $node->logfile;

	set_mode($mode);
	break_at($node, 'fast_path:error');
	query($node, 'INSERT INTO narrow SELECT i, i, i FROM generate_series(1, 20) i; DELETE FROM narrow');
	$node->wait_for_log(qr/debug point "fast_path"/, $offset);
	clear_breaks($node);
	arrived($node);
	return pass($what);
}

reaches_point('on', 'changes take the fast path');
reaches_point('verify', 'changes are compared');

# ---- values -----------------------------------------------------------------------------------

sub change_values
{
	query($node, <<~'SQL');
		SELECT setseed(0.5);
		DELETE FROM items; DELETE FROM whole;
		INSERT INTO items SELECT (item(i)).* FROM generate_series(1, 2000) i;
		INSERT INTO whole TABLE items;
		INSERT INTO items (id, f4, f8, n, n2, tz, ts, d) VALUES (-1, 0, '-0', 0, 0, 'epoch', 'epoch', 'epoch'),
			(-2, 1e10, 1e-7, 1e-20, 10000, '2000-01-01', '1999-12-31 23:59:59.9', '2000-02-29'),
			(-3, NULL, NULL, 1e30, -0.00001, '0001-01-01', '9999-12-31 23:59:59.999999', '9999-12-31');
		UPDATE items SET i2 = 1, ts = NULL, t = '24:00' WHERE id % 3 = 0;
		UPDATE items SET id = id + 100000 WHERE id % 50 = 0;
		DELETE FROM items WHERE id % 7 = 0;
		UPDATE whole SET i2 = 1, s = NULL WHERE id % 3 = 0;
		UPDATE whole SET id = id + 100000 WHERE id % 50 = 0;
		DELETE FROM whole WHERE id % 7 = 0;
		DELETE FROM labels;
		INSERT INTO labels SELECT m, 1 FROM unnest((enum_range(NULL::many))[1:16]) m;
		UPDATE labels SET m = (enum_range(NULL::many))[16 + array_position(enum_range(NULL::many), m)];
		UPDATE labels SET m = (enum_range(NULL::many))[32 + array_position(enum_range(NULL::many), m)];
		SQL
	return;
}

# what is at the ends of a type's range, or has a form of its own
my %edges = (
	i2 => [ qw(-32768 32767 -1 0 9 10 99 100 999 1000 9999 10000) ],
	i4 => [ qw(-2147483648 2147483647 99999 100000 999999999 1000000000 -10) ],
	i8 => [ qw(-9223372036854775808 9223372036854775807 4294967295 4294967296 99999999 100000000
		429496729599999999 429496729600000000 -1000000000000000000) ],
	f4 => [ qw(NaN Infinity -Infinity -0 0 3.4028235e38 -3.4028235e38 1e-45 1.17549435e-38 16777216 0.1 1e15 1e16) ],
	f8 => [ qw(NaN Infinity -Infinity -0 0 1.7976931348623157e308 5e-324 2.2250738585072014e-308 9007199254740993
		0.1 1e15 1e16 123456789012345680 1e-4 1e-5 0.30000000000000004) ],
	n => [ qw(NaN Infinity -Infinity 0 0.000 -0.0 1.10 100 1000000 12345678901234567890.0000000000 -0.00010000 1e-300 1e300),
		'-' . '9' x 1000 . '.' . '1' x 1000, '1e131071', '0.' . '0' x 16382 . '1', '10000', '9999.9999', '0.0001', '1.0000' ],
	d => [ 'infinity', '-infinity', '4714-11-24 BC', '0001-12-31 BC', '0001-01-01', '9999-12-31', '10000-01-01',
		'5874897-12-31', '2000-02-29', '1900-02-28', '1900-03-01', '2100-12-31', '0004-02-29', '0005-02-28 BC', '0100-12-31' ],
	t => [ qw(00:00:00 24:00:00 23:59:59.999999 00:00:00.000001 12:30:00.1 01:02:03.100100) ],
	ts => [ 'infinity', '-infinity', '4714-11-24 00:00:00 BC', '294276-12-31 23:59:59.999999', '0001-12-31 23:59:59.999999 BC',
		'0001-01-01 00:00:00', '9999-12-31 23:59:59.999999', '10000-01-01 00:00:00.5', '2000-01-01', '1999-12-31 23:59:59.999999' ],
	tz => [ 'infinity', '-infinity', '4714-11-24 00:00:00+00 BC', '294276-12-31 23:59:59.999999+00', '2000-01-01 00:00:00+14',
		'0001-12-31 23:59:59.999999+00 BC', '10000-01-01 00:00:00.5+00' ],
	bin => [ '\\x', '\\x00', '\\x' . 'ff' x 15, '\\x' . '0f' x 16, '\\x' . 'a5' x 17, '\\x' . '5b' x 3000 ],
	jb => [ '{}', '[]', 'null', 'true', '1', '-0.0', '1.50', '""', '"x"', '[[]]', '[{}]', '{"a": {}}', '[null, true, false]',
		'{"": ""}', '1e400', '1e-400', '"\\u0001\\u001f\\b\\f\\n\\r\\t\\"\\\\\\/\\u007f\\u00e9\\ud83d\\ude00"',
		'[' x 63 . ']' x 63, '[' x 64 . ']' x 64, '[' x 65 . ']' x 65, '[' x 66 . ']' x 66, '[' x 900 . ']' x 900,
		'{' . join(', ', map {qq("key $_": [$_, "v$_", {"n": $_.50}])} 1 .. 100) . '}',
		'[' . join(', ', 1 .. 100) . ']', '"' . 'x' x 5000 . '"', '"' . '\\"' x 5000 . '"', '[' . '1e1000, ' x 20 . '0]' ],
	i4a => [ '{}', '{1}', '{NULL}', '{NULL,1,NULL}', '{-2147483648,2147483647}', '[2:3]={1,2}', '[1:2]={1,2}', '{{1,2},{3,4}}',
		'[0:0]={5}', '{' . join(',', map { $_ % 9 ? $_ : 'NULL' } 1 .. 100) . '}' ],
	ta => [ '{}', '{""}', '{NULL,"NULL","null","Null","nulls",nul}', '{"a b","a,b","{","}","\\"","\\\\",a\'\'b}',
		qq({"\t","\n","\r","\013","\f"," ","\001","\xc3\xa9",a;b}), '{' . join(',', ('abc') x 100) . '}', '{{a,b},{c,NULL}}' ],
	f4a => ['{NaN,Infinity,-Infinity,-0,NULL,1e20,0.1}'],
	f8a => ['{NaN,Infinity,-Infinity,-0,NULL,1e200,0.1}'],
	na => [ '{NaN,Infinity,-Infinity,0.00,NULL,1e300,0.10}', "{@{['8' x 500]},1}" ],
	bla => ['{t,f,NULL}'],
	oa => ['{0,4294967295,NULL}'],
	i2a => ['{-32768,NULL,32767,1,2,3}'],
	i8a => ['{-9223372036854775808,NULL,9223372036854775807}'],
	va => ['{a,"b c",NULL}'],
	ca => ['{a,"b c",NULL,12345678}'],
	da => [ '{2000-01-01,infinity,-infinity,NULL}', '{"0001-01-01 BC",10000-01-01}' ],
	tia => ['{00:00:00,24:00:00,NULL,12:00:00.5}'],
	tsa => ['{"2000-01-01 00:00:00",infinity,NULL,"0001-01-01 00:00:00 BC"}'],
	tza => ['{"2000-01-01 00:00:00+00",infinity,NULL,"0001-01-01 00:00:00+00 BC"}'],
	ua => ['{00112233-4455-6677-8899-aabbccddeeff,NULL}'],
	bya => ['{"\\\\x","\\\\x00ff",NULL}'],
	ja => ['{"{\\"a\\": 1}",NULL,1}'],
	jba => ['{"{\\"a\\": 1}",NULL,1}'],
	ma => ['{sad,"so so",NULL}'],
	pa => ['{1.5,NULL,2}'],
	pra => ['{"(1,a)",NULL}']);

# One row for each, and one for each again as an update; then arrays of values of all kinds.
sub change_edges
{
	my $sql = "DELETE FROM edges;\n";
	my $id = 0;

	for my $column (sort keys %edges)
	{
		for my $value (@{ $edges{$column} })
		{
			(my $quoted = $value) =~ s/'/''/g;
			$sql .= "INSERT INTO edges (id, $column) VALUES (@{[++$id]}, '$quoted');\n";
		}
		$sql .= "UPDATE edges SET i4 = id WHERE $column IS NOT NULL;\n";
	}
	query($node, $sql . <<~'SQL');
		INSERT INTO edges (id, i2a, i4a, i8a, f4a, f8a, na, bla, ta, va, ca, da, tia, tsa, tza, ua, bya, ja, jba)
			SELECT 1000 + id % 100, array_agg(i2), array_agg(i4), array_agg(i8), array_agg(f4), array_agg(f8), array_agg(n),
				array_agg(b), array_agg(s), array_agg(v), array_agg(c), array_agg(d), array_agg(t), array_agg(ts), array_agg(tz),
				array_agg(u), array_agg(bin), array_agg(j), array_agg(jb) FROM items WHERE id > 0 GROUP BY id % 100;
		INSERT INTO edges (id, jb) SELECT id + 10000, to_jsonb(i) FROM items i WHERE id BETWEEN 1 AND 1000;
		INSERT INTO edges (id, ta) SELECT 20000 + c, ARRAY['a' || chr(c) || 'b', chr(c)] FROM generate_series(1, 300) c;
		INSERT INTO edges (id, f8, f8a) SELECT 40000 + g, f, ARRAY[f, -f, f * 10, f / 7]
			FROM generate_series(1, 1000) g, round((random() * 10 ^ (g % 13))::numeric, g % 7) n, CAST(n AS float8) f;
		INSERT INTO edges (id, jb) SELECT 30000 + c, to_jsonb('a' || chr(c) || 'b') FROM generate_series(1, 300) c;
		SQL
	return;
}

# what has no one form on both sides is compared by the oracle
my @compared = qw(items whole edges labels);

change_values();
change_edges();
arrived($node);
set_mode('on');
change_values();
change_edges();
arrived($node);
for my $table (@compared)
{
	is($target->sql("SELECT count(*) FROM $table", 'shop'), query($node, "SELECT count(*) FROM $table"), "rows of $table");
}
same_rows($node, $target, 'labels');

# ---- DDL ----------------------------------------------------------------------------------------

# Statement by statement, with rows before, between and behind.  Each leaves the columns of narrow as they were.
my @ddl = (
	'ALTER TABLE narrow ADD COLUMN extra int DEFAULT 7',
	'ALTER TABLE narrow DROP COLUMN extra',
	'ALTER TABLE narrow RENAME COLUMN b TO bb; ALTER TABLE narrow RENAME COLUMN bb TO b',
	'ALTER TABLE narrow ALTER a TYPE bigint',
	'ALTER TABLE narrow ALTER a TYPE int',
	'ALTER TABLE narrow REPLICA IDENTITY FULL',
	'ALTER TABLE narrow REPLICA IDENTITY DEFAULT',
	'BEGIN; ALTER TABLE narrow ADD COLUMN gone int; UPDATE narrow SET gone = 1; ROLLBACK',
	q(BEGIN; SAVEPOINT s; ALTER TABLE narrow ALTER b TYPE varchar(50); UPDATE narrow SET b = 'in'; ROLLBACK TO s;
		UPDATE narrow SET b = 'out' WHERE id % 2 = 0; COMMIT),
	q(BEGIN; UPDATE narrow SET b = 'x' WHERE id % 4 = 0; ALTER TABLE narrow RENAME COLUMN b TO x;
		UPDATE narrow SET x = 'y' WHERE id % 3 = 0; ALTER TABLE narrow RENAME COLUMN x TO b;
		UPDATE narrow SET b = 'z' WHERE id % 5 = 0; COMMIT),
	'VACUUM FULL narrow',
	'ALTER TABLE narrow ALTER c SET STORAGE PLAIN; ALTER TABLE narrow ALTER c SET STORAGE EXTERNAL',
	q(ALTER TYPE mood ADD VALUE 'new'),
	'CREATE TEMP TABLE t (a int); DROP TABLE t',
	'ALTER SCHEMA public RENAME TO other; ALTER SCHEMA other RENAME TO public',
	q(ALTER PUBLICATION dbmazz_pub SET (publish = 'insert, update, delete, truncate')));

sub change_rows
{
	my ($round) = @_;
	query($node, <<~"SQL");
		INSERT INTO narrow SELECT g, g, 'b' || g, repeat('c', g % 5 * 1000) FROM generate_series($round * 20, $round * 20 + 19) g;
		UPDATE narrow SET a = a + 1 WHERE id % 3 = 0;
		UPDATE narrow SET c = repeat('d', 3000) WHERE id % 10 = 1;
		UPDATE narrow SET id = -id WHERE id % 13 = 0;
		DELETE FROM narrow WHERE id % 11 = 0;
		SQL
	return;
}

$target->sql("ALTER TABLE narrow ADD COLUMN $_", 'shop') for 'extra INT', 'bb VARCHAR(1000)', 'x VARCHAR(1000)';
$target->sql('ALTER TABLE narrow MODIFY COLUMN a BIGINT', 'shop');
for my $mode (qw(verify on))
{
	my $round = 0;

	set_mode($mode);
	query($node, 'DELETE FROM narrow');
	change_rows($round++);
	for my $ddl (@ddl)
	{
		next if $ddl =~ /TYPE mood/ && $mode eq 'on';
		# names of the middle of a transaction are not the target's
		next if $ddl =~ /TO x;/ && $mode eq 'on';
		query($node, $ddl);
		change_rows($round++);
	}
	next if $mode eq 'verify';
	same_rows($node, $target, 'narrow');
}

# ---- types -----------------------------------------------------------------------------------------

# Each leaves the values as they were, or of the same number; "@" are changes of rows.
my @type_ddl = (
	'CREATE TEMP TABLE t (m mood, p price, x pair, a int[]); @ DROP TABLE t; @',
	'ALTER TYPE mood RENAME TO feeling; ALTER TYPE feeling RENAME TO mood; @',
	q(ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'; @ ALTER TYPE mood RENAME VALUE 'blue' TO 'sad'; @),
	q(BEGIN; @ ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'; @ ALTER TYPE mood RENAME VALUE 'blue' TO 'sad'; @ COMMIT; @),
	q(BEGIN; @ SAVEPOINT s; ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'; @ ROLLBACK TO s; @ COMMIT; @),
	'ALTER DOMAIN price ADD CONSTRAINT k CHECK (VALUE < 1e7) NOT VALID; @ ALTER DOMAIN price SET DEFAULT 3; @
		ALTER DOMAIN price DROP DEFAULT; ALTER DOMAIN price DROP CONSTRAINT k; @',
	'ALTER TYPE pair RENAME ATTRIBUTE a TO aa CASCADE; @ ALTER TYPE pair RENAME ATTRIBUTE aa TO a CASCADE; @',
	'CREATE TYPE pair2 AS (a int, b text); CREATE DOMAIN price2 AS price; ALTER TABLE typed ALTER p TYPE price2; @
		ALTER TABLE typed ALTER p TYPE price; @ DROP DOMAIN price2; DROP TYPE pair2; @',
	'CREATE SCHEMA another; SET search_path = public, another;
		ALTER TYPE mood SET SCHEMA another; @ ALTER TYPE another.mood SET SCHEMA public; DROP SCHEMA another; @');

sub change_typed
{
	my ($round) = @_;
	# labels by their number, for names change
	my $mood = 'enum_range(NULL::mood)';
	return <<~"SQL";
		INSERT INTO typed SELECT g, ($mood)[1 + g % 3], g, $mood, ARRAY[g, NULL]::price[], ROW(g, 'x')::pair,
			ARRAY[ROW(g, 'y')::pair], int4range(g, g + 5) FROM generate_series($round * 10, $round * 10 + 9) g;
		UPDATE typed SET p = p + 1, m = ($mood)[1 + id % 2] WHERE id % 3 = 0;
		DELETE FROM typed WHERE id % 7 = 0;
		SQL
}

for my $mode (qw(verify on))
{
	my $round = 0;

	set_mode($mode);
	query($node, 'DELETE FROM typed');
	query($node, change_typed($round++));
	for my $ddl (@type_ddl)
	{
		(my $sql = $ddl) =~ s/@/change_typed($round++)/ge;
		query($node, $sql);
	}
	# what was written under another name of the label has that at the target
	query($node, 'UPDATE typed SET p = -p');
	same_rows($node, $target, 'typed');
}

# ---- what is kept ------------------------------------------------------------------------------------

$node->append_conf('postgresql.conf', "log_min_messages = debug1\n");
$node->reload;
set_mode('on');

# How often something was learned while these ran; the rows have arrived.
sub learned
{
	my ($sql) = @_;
	my $offset = -s $node->logfile;

	query($node, $sql);
	arrived($node);
	my @lines = PostgreSQL::Test::Utils::slurp_file($node->logfile, $offset) =~ /the fast path has learned/g;
	return scalar @lines;
}

my $some = 'UPDATE narrow SET a = a + 1; UPDATE typed SET p = p + 1; UPDATE items SET i4 = 7;';
learned($some);
is(learned($some), 0, 'what was learned is kept');
my $others = <<~"SQL";
	$some
	DO \$\$ BEGIN
		FOR i IN 1..200 LOOP
			EXECUTE format('CREATE TEMP TABLE t%s (a int PRIMARY KEY, m mood, x pair, b text)', i);
			EXECUTE format('INSERT INTO t%s VALUES (1)', i);
			UPDATE narrow SET a = -a WHERE id % 10 = i % 10;
			EXECUTE format('DROP TABLE t%s', i);
			COMMIT;
		END LOOP;
	END \$\$;
	CREATE SCHEMA another CREATE TABLE plain (a int);
	CREATE TYPE another.kind AS ENUM ('x');
	$some
	ALTER TYPE another.kind ADD VALUE 'y';
	CREATE FUNCTION another.one() RETURNS int LANGUAGE sql AS 'SELECT 1';
	$some
	ALTER SCHEMA another RENAME TO different;
	DROP SCHEMA different CASCADE;
	$some
	SQL
# a decoder that falls behind the server's messages of invalidation must forget all; that may happen, not always
my $again = 0;
for (1 .. 4)
{
	$again = learned($others);
	last if $again == 0;
}
is($again, 0, 'also where others make and drop tables, types, schemas and functions');
is(learned("ALTER TABLE narrow REPLICA IDENTITY FULL; $some ALTER TABLE narrow REPLICA IDENTITY DEFAULT; $some"), 2,
	'a table that changes is learned anew, and no other');
cmp_ok(learned("ALTER TYPE mood RENAME TO feeling; $some ALTER TYPE feeling RENAME TO mood; $some"), '>=', 2,
	'so is what has a type that changes');
cmp_ok(learned("ALTER SCHEMA public RENAME TO other; ALTER SCHEMA other RENAME TO public; $some"), '>=', 3,
	'and what is in a schema that changes');
same_rows($node, $target, 'narrow', 'typed');

# ---- an end ---------------------------------------------------------------------------------------

is(stopped_tables($node), '', 'no table has stopped');
unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile), qr/pgoutput wrote/, 'nothing was different');

$node->stop;
$target->stop;
done_testing();
