# Change logs: tables without a key go to Duplicate Key tables, every change a row.
# What came less what went must be what the source has, after crashes too.

use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use JSON::PP;
use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE FUNCTION large(i int) RETURNS text LANGUAGE sql
			AS 'SELECT repeat(md5(i::text), 80)';
		CREATE TABLE bag (a int NOT NULL, b text, big text);
		ALTER TABLE bag ALTER big SET STORAGE EXTERNAL;
		ALTER TABLE bag REPLICA IDENTITY FULL;
		CREATE TABLE plain (a int);
		CREATE TABLE keyed (id int PRIMARY KEY, note text);
		CREATE TABLE moves (id int PRIMARY KEY, note text NOT NULL, big text);
		ALTER TABLE moves ALTER big SET STORAGE EXTERNAL;
		CREATE TABLE wrong (a int);
		SQL
	tables => [qw(bag plain keyed moves)],
	publication => 'TABLE bag, plain, keyed, moves, wrong',
	conf => <<~'CONF',
		dbmazz.audit_columns = on
		dbmazz.change_log = keyless
		CONF
	settings => ['flush_interval=0']);

sub settings
{
	my (@settings) = @_;
	my $list = join ', ', map { "'$_'" } @settings;
	query($node, "SELECT dbmazz.alter_pipeline('shop', settings => ARRAY[$list])");
	return;
}

# The rows of a log in its order, decoded.
sub log_rows
{
	my ($table) = @_;
	arrived($node);
	return
	  sort { $a->{dbmazz_cdc_version} <=> $b->{dbmazz_cdc_version}
		  || $a->{dbmazz_cdc_sequence} <=> $b->{dbmazz_cdc_sequence} }
	  map { decode_json($_) } @{ $target->rows('shop', $table) };
}

# "op sign value value" for each row
sub log_lines
{
	my ($table, @columns) = @_;
	return [
		map {
			my $row = $_;
			join ' ', $row->{dbmazz_op_type}, $row->{dbmazz_is_deleted} ? '-' : '+',
			  map { $_ // 'NULL' } @$row{@columns}
		} log_rows($table)
	];
}

sub digest
{
	my ($a, $b, $big) = @_;
	return join '|', map { $_ // 'NULL' } $a, $b, defined $big ? md5_hex($big) : undef;
}

# The source is the sum of the log; returns how many rows there were twice.
sub sum_is_source
{
	my ($name) = @_;
	my (%sum, %seen, $again);
	for my $row (log_rows('bag'))
	{
		my $line = digest(@$row{qw(a b big)}) . ($row->{dbmazz_is_deleted} ? '-' : '+');
		my $place = "$row->{dbmazz_cdc_version} $row->{dbmazz_cdc_sequence}";
		if (defined $seen{$place})
		{
			$again++;
			$seen{$place} eq $line or fail("$name: two different rows at $place");
			next;
		}
		$seen{$place} = $line;
		my $value = digest(@$row{qw(a b big)});
		$sum{$value} += $row->{dbmazz_is_deleted} ? -1 : 1;
	}
	my %source;
	$source{ digest(@{ decode_json($_) }) }++
	  for split /\n/, query($node, 'SELECT json_build_array(a, b, big) FROM bag');
	delete @sum{ grep { $sum{$_} == 0 } keys %sum };
	is_deeply(\%sum, \%source, $name);
	return $again // 0;
}

my $seed = 0;

sub mixed_changes
{
	$seed += 0.05;
	query($node, <<~"SQL");
		SELECT setseed($seed);
		DO \$\$
		BEGIN
			FOR i IN 1..70 LOOP
				INSERT INTO bag SELECT 1 + (random() * 9)::int, 'b', large(i % 5)
					FROM generate_series(1, (random() * 2)::int);
				CASE (random() * 4)::int
				WHEN 0 THEN UPDATE bag SET b = 'u' || i % 3 WHERE a = 1 + (random() * 9)::int;
				WHEN 1 THEN UPDATE bag SET big = large(i % 7) WHERE a = 1 + (random() * 9)::int;
				WHEN 2 THEN DELETE FROM bag WHERE ctid =
					(SELECT ctid FROM bag WHERE a = 1 + (random() * 9)::int LIMIT 1);
				WHEN 3 THEN DELETE FROM bag WHERE a = 1 + (random() * 9)::int AND b = 'b';
				ELSE UPDATE bag SET big = NULL WHERE a = 3;
				END CASE;
				IF i % (1 + (random() * 15)::int) = 0 THEN
					COMMIT;
				END IF;
			END LOOP;
		END \$\$;
		SQL
	return;
}

# ---- what each change becomes -----------------------------------------------------

query($node, q(INSERT INTO bag VALUES (1, 'x', 'big'), (1, 'x', 'big'), (2, NULL, NULL)));
query($node, q(UPDATE bag SET b = 'y' WHERE a = 2));
query($node, q(DELETE FROM bag WHERE a = 2));
is_deeply(log_lines('bag', qw(a b big)),
	[
		'0 + 1 x big', '0 + 1 x big', '0 + 2 NULL NULL',
		'1 - 2 NULL NULL', '1 + 2 y NULL', '2 - 2 y NULL'
	],
	'inserts, an update and a delete');
query($node, <<~'SQL');
	BEGIN;
	INSERT INTO bag VALUES (3, 'x', NULL);
	UPDATE bag SET b = 'y' WHERE a = 3;
	INSERT INTO keyed VALUES (1, 'between');
	UPDATE bag SET b = 'y' WHERE a = 3;
	DELETE FROM bag WHERE a = 3;
	COMMIT;
	SQL
{
	my @rows = grep { $_->{a} == 3 } log_rows('bag');
	is(scalar @rows, 6, 'no row of a transaction replaces another');
	is_deeply([ map { "$_->{b}$_->{dbmazz_is_deleted}" } @rows ],
		[ map { my $gone = $_->[1] ? JSON::PP::true : JSON::PP::false; "$_->[0]$gone" }
			  [ 'x', 0 ], [ 'x', 1 ], [ 'y', 0 ], [ 'y', 1 ], [ 'y', 0 ], [ 'y', 1 ] ],
		'they have the order of the changes');
	my %versions = map { $_->{dbmazz_cdc_version} => 1 } @rows;
	is(scalar keys %versions, 1, '... and one version');
}
query($node, 'INSERT INTO plain SELECT i / 2 FROM generate_series(1, 5) i');
is_deeply(log_lines('plain', 'a'), [ '0 + 0', '0 + 1', '0 + 1', '0 + 2', '0 + 2' ],
	'inserts into a table without replica identity');
query($node, q(INSERT INTO keyed VALUES (2, 'a'); UPDATE keyed SET note = 'b' WHERE id = 2; DELETE FROM keyed WHERE id = 1));
same_rows($node, $target, 'keyed');

# ---- mixed -----------------------------------------------------------------------------

for my $case ([ 'flush_interval=0', 'batch_max_rows=100000' ],
	[ 'flush_interval=300ms', 'batch_max_rows=7' ])
{
	settings(@$case);
	mixed_changes();
	is(sum_is_source("the sum, @$case"), 0, 'no row is there twice');
}
restart_stream($node, sub { settings('checkpoint_interval=1h', 'flush_interval=0') });
mixed_changes();
is(sum_is_source('the sum before a crash'), 0, 'no row is there twice');
my $count = $target->count('shop', 'bag');
$node->stop('immediate');
$node->start;
$node->wait_for_state('postgres', 'shop', 'streaming');
mixed_changes();
cmp_ok(sum_is_source('the sum after a crash'), '>', 0, 'some rows are there twice, and can be told');

# ---- a target that is not right ------------------------------------------------------------

$target->sql('CREATE TABLE wrong (a INT NOT NULL) PRIMARY KEY (a) DISTRIBUTED BY HASH (a)', 'shop');
query($node, 'INSERT INTO wrong VALUES (1)');
my $why = wait_for_stop($node, 'wrong');
like($why, qr/target table "wrong" is not a Duplicate Key table/, 'a Primary Key table as target');
like($why, qr/DUPLICATE KEY \(`dbmazz_cdc_version`, `dbmazz_cdc_sequence`\)/, 'the statement in the hint');
my ($create) = $why =~ /(CREATE TABLE .*;)/s;
$target->sql('DROP TABLE wrong', 'shop');
$target->sql($create, 'shop');
restart_stream($node);
is_deeply(log_lines('wrong', 'a'), ['0 + 1'], 'made by that statement it is');

# ---- tables with a key ------------------------------------------------------------------------

restart_stream($node, sub {
		settings('change_log=all', 'checkpoint_interval=DEFAULT');
		for my $table ('moves', 'keyed')
		{
			$target->sql("DROP TABLE $table", 'shop');
			$target->sql(query($node, "SELECT dbmazz.target_ddl('$table', pipeline => 'shop')"), 'shop');
		}
	});
query($node, q(INSERT INTO moves VALUES (1, 'a', 'small'), (2, 'b', NULL)));
query($node, q(UPDATE moves SET note = 'aa' WHERE id = 1));
query($node, q(UPDATE moves SET id = 3 WHERE id = 2));
query($node, q(DELETE FROM moves WHERE id = 1));
is_deeply(log_lines('moves', qw(id note big)),
	[ '0 + 1 a small', '0 + 2 b NULL', '1 + 1 aa small', '1 + 3 b NULL', '2 - 1 NULL NULL' ],
	'without FULL old rows are not known');
query($node, 'ALTER TABLE moves REPLICA IDENTITY FULL');
query($node, q(UPDATE moves SET id = 4, big = large(1) WHERE id = 3));
query($node, q(UPDATE moves SET note = 'kept'));
is_deeply([ map { s/ \S{200,}/ large/r } @{ log_lines('moves', qw(id note big)) }[ 5 .. 8 ] ],
	[ '1 - 3 b NULL', '1 + 4 b large', '1 - 4 b large', '1 + 4 kept large' ], 'with FULL they are');
query($node, 'ALTER TABLE moves REPLICA IDENTITY DEFAULT');
query($node, q(UPDATE moves SET note = 'lost'));
$why = wait_for_stop($node, 'moves');
like($why, qr/"public\.moves" has a change without the value of an unchanged large column/,
	'a large value that nobody has stops the log');
like($why, qr/REPLICA IDENTITY FULL/, 'with a hint');
query($node, q(INSERT INTO keyed VALUES (9, 'goes on')));
is_deeply(log_lines('keyed', qw(id note)), ['0 + 9 goes on'], 'other tables go on');

$node->stop;
done_testing();
