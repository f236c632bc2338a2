# The fast path writes what pgoutput writes: random values of common types, every replica identity, and DDL of
# all kinds between and inside transactions.  Each part runs compared (verify), and then for itself (on), where
# source and target must agree.

use strict;
use warnings;

use Test::More;

use dbmazz::Load qw(break_at clear_breaks wait_until);
use dbmazz::Stream;

my @tables = qw(items whole narrow typed);

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
		SQL
	return;
}

# what has no one form on both sides is compared by the oracle
my @compared = qw(items whole);

change_values();
arrived($node);
set_mode('on');
change_values();
arrived($node);
for my $table (@compared)
{
	is($target->sql("SELECT count(*) FROM $table", 'shop'), query($node, "SELECT count(*) FROM $table"), "rows of $table");
}

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
is(learned(<<~"SQL"), 0, 'also where others make and drop tables, types, schemas and functions');
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
