# Wide rows: 200 columns of all kinds of types, and values of 1 MB and of 16 MB.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

# type, and what a row "i" has in column "c", in a form that both sides write in the same way
my @kinds = (
	[ 'smallint', '(i * 7 + c) % 30000' ], [ 'int', 'i * c' ], [ 'bigint', 'i::bigint << 30' ],
	[ 'boolean', '(i + c) % 2 = 0' ], [ 'real', 'i / 8.0' ], [ 'float8', 'i / 1024.0' ],
	[ 'numeric', '(i || \'.\' || c)::numeric' ], [ 'numeric(12,4)', 'i + c / 16.0' ], [ 'date', q('2000-01-01'::date + i) ],
	[ 'time', q('10:00'::time + i * interval '1 second') ], [ 'timestamp', q('2001-02-03 04:05:06'::timestamp + i * interval '1 s') ],
	[ 'timestamptz', q('2001-02-03 04:05:06.789+02'::timestamptz + c * interval '1 h') ],
	[ 'interval', q(i * interval '1 day') ], [ 'uuid', 'md5(i::text || c)::uuid' ], [ 'bytea', q(decode(md5(c::text), 'hex')) ],
	[ 'text', q('text ' || i || E'\u00e9"\\\\' || c) ], [ 'varchar(40)', q('v' || i) ], [ 'char(8)', q(lpad(c::text, 8, 'x')) ],
	[ 'json', q(('{"k":' || i || '}')::json) ], [ 'jsonb', 'to_jsonb(i + c)' ], [ 'int[]', 'ARRAY[i, NULL, c]' ],
	[ 'text[]', q(ARRAY['a"b', i::text]) ], [ 'mood', q('so so'::mood) ], [ 'price', '(i + c)::price' ],
	[ 'pair', q(ROW(i, 'x,y')::pair) ], [ 'int4range', 'int4range(i, i + c)' ], [ 'inet', q('10.0.0.1'::inet + i) ],
	[ 'oid', '(i + c)::oid' ], [ 'point', 'point(i, c)' ], [ 'bit varying', '5::bit(3)::varbit' ]);
my @kind = map { $kinds[ $_ % @kinds ] } 1 .. 196;
my $columns = join ', ', map { "c$_ $kind[$_ - 1][0]" } 1 .. @kind;

# NULL here and there
sub values_of
{
	my ($i) = @_;
	return join ', ', map {
		(my $text = $kind[ $_ - 1 ][1]) =~ s/\bi\b/$i/g;
		$text =~ s/\bc\b/$_/g;
		"CASE WHEN ($i + $_) % 9 <> 0 THEN $text END"
	} 1 .. @kind;
}

my ($node, $target) = start_stream(
	conf => "dbmazz.buffer_size = 256MB\ndbmazz.pipeline_buffer_size = 16MB\nlog_error_verbosity = default\n",
	sql => <<~"SQL",
		CREATE TYPE mood AS ENUM ('sad', 'so so');
		CREATE TYPE pair AS (a int, b text);
		CREATE DOMAIN price AS numeric(12,4);
		CREATE TABLE wide (id int PRIMARY KEY, l1 text, $columns, l2 jsonb, l3 bytea);
		ALTER TABLE wide ALTER l1 SET STORAGE EXTERNAL, ALTER l2 SET STORAGE EXTERNAL, ALTER l3 SET STORAGE EXTERNAL;
		CREATE TABLE whole (LIKE wide INCLUDING ALL);
		ALTER TABLE whole REPLICA IDENTITY FULL;
		CREATE TABLE big (id int PRIMARY KEY, note text, t text, b bytea, j json);
		ALTER TABLE big ALTER t SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL, ALTER j SET STORAGE EXTERNAL;
		SQL
	tables => [qw(wide whole big)],
	settings => ['flush_interval=50ms']);

is(query($node, q(SELECT count(*) FROM pg_attribute WHERE attrelid = 'wide'::regclass AND attnum > 0)), 200, '200 columns');

# ---- rows of 200 columns -----------------------------------------------------------------------

my $values = values_of('i');
my $large = q(string_agg(md5(g::text || i), ''));
my $series = 'FROM generate_series(1, 120) g';

for my $table ('wide', 'whole')
{
	query($node, <<~"SQL");
		INSERT INTO $table SELECT i, (SELECT $large $series), $values, to_jsonb((SELECT $large $series)),
			decode((SELECT $large $series), 'hex') FROM generate_series(1, 60) i;
		UPDATE $table SET c1 = 5, c16 = NULL WHERE id % 3 = 0;
		UPDATE $table SET l2 = '17' WHERE id % 5 = 0;
		UPDATE $table SET l1 = repeat('y', 4000), c2 = c2 + 1 WHERE id % 7 = 0;
		UPDATE $table SET id = id + 1000 WHERE id % 11 = 0;
		UPDATE $table SET l1 = NULL, l2 = NULL, l3 = NULL WHERE id % 13 = 0;
		DELETE FROM $table WHERE id % 17 = 0;
		BEGIN;
		UPDATE $table SET c3 = true, l3 = '\\x00' WHERE id < 50;
		ALTER TABLE $table ALTER c196 DROP NOT NULL;
		UPDATE $table SET c5 = -c5;
		COMMIT;
		SQL
}
same_rows($node, $target, 'wide', 'whole');

# ---- values of 1 MB ----------------------------------------------------------------------------

# the most that a text or bytes may have there
my $mb = 1048576;
query($node, <<~"SQL");
	BEGIN;
	INSERT INTO big SELECT i, 'n' || i, repeat(chr(64 + i), $mb), decode(repeat(lpad(to_hex(i), 2, '0'), $mb), 'hex'),
		('{"k":"' || repeat('j', $mb) || '"}')::json FROM generate_series(1, 4) i;
	UPDATE big SET note = 'left alone' WHERE id % 2 = 0;
	UPDATE big SET t = repeat('\\', $mb) WHERE id % 3 = 0;
	COMMIT;
	UPDATE big SET id = id + 100 WHERE id % 4 = 0;
	UPDATE big SET b = NULL WHERE id = 2;
	DELETE FROM big WHERE id = 1;
	SQL
same_rows($node, $target, 'big');

# ---- values of 16 MB ---------------------------------------------------------------------------

# Four times as large a buffer as a row, for a batch has a quarter of it; and none as small as can be.
sub set_buffer
{
	my ($size, @more) = @_;
	restart_stream($node, sub {
		my $settings = join ', ', map { "'$_'" } "pipeline_buffer_size=$size", 'flush_interval=50ms', @more;
		query($node, "SELECT dbmazz.alter_pipeline('shop', settings => ARRAY[$settings])");
	});
	return;
}

my $document = q(('{"k":"' || repeat('x', 16 * 1024 * 1024 - 20) || '"}')::json);
set_buffer('512kB');
query($node, "INSERT INTO big (id, j) SELECT i, $document FROM generate_series(201, 202) i");
like(wait_for_stop($node, 'big'),
	qr/a row is larger than the pipeline's buffer of 512 kB\nRaise dbmazz\.pipeline_buffer_size \(and dbmazz\.buffer_size\)/,
	'a row of 16 MB stops its table where the buffer is as small as can be');
query($node, q(UPDATE wide SET c1 = 6 WHERE id < 20));
same_rows($node, $target, 'wide');
set_buffer('64MB');
query($node, q(UPDATE big SET note = 'left alone' WHERE id = 201; UPDATE big SET id = 300 WHERE id = 202));
arrived($node);
my %length;
for my $line (@{ $target->rows('shop', 'big') })
{
	$length{$1} = ($line =~ tr/x//) if $line =~ /^\{"id":(\d+)/ && length $line > 16 * $mb;
}
is(join(' ', map { "$_=$length{$_}" } sort keys %length), join(' ', map { "$_=" . (16 * $mb - 20) } 201, 300),
	'with more of it the table goes on, and the two rows of a transaction are there');
query($node, q(DELETE FROM big WHERE id IN (201, 300)));
same_rows($node, $target, 'big');
is(stopped_tables($node), '', 'no table has stopped');

# a text may not have as much there: the error names the column, the limit and the remedy
query($node, q(INSERT INTO big (id, t) VALUES (400, repeat('x', 16 * 1024 * 1024))));
my $error = wait_for_stop($node, 'big');
like($error, qr/Row with key \(id\)=\(400\).*is too long\. The max length of 't' is $mb\n.*MODIFY COLUMN `t`/s,
	'the error of a text of 16 MB names row, column, limit and remedy');
set_buffer('64MB', 'unrepresentable=clamp');
arrived($node);
is($target->sql(q(SELECT length(t) FROM big WHERE id = 400), 'shop'), $mb, 'cut, where that is wanted');
query($node, "UPDATE big SET t = left(t, $mb) WHERE id = 400");
same_rows($node, $target, 'big');
is(stopped_tables($node), '', 'no table has stopped');

$node->stop;
$target->stop;
done_testing();
