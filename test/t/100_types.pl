# Values of the built-in types, at their limits, arrive as they are; those that
# the target cannot hold stop their table.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my @unfit = (
	[ 'numeric_nan', 'numeric(10,2)', "'NaN'" ],
	[ 'double_nan', 'float8', "'NaN'" ],
	[ 'real_inf', 'float4', "'-Infinity'" ],
	[ 'date_inf', 'date', "'infinity'" ],
	[ 'date_bc', 'date', "'0044-03-15 BC'" ],
	[ 'stamp_year', 'timestamp', "'10000-01-01'" ],
	[ 'stamptz_inf', 'timestamptz', "'-infinity'" ]);

my ($node, $target) = start_stream(
	sql => <<~'SQL'
		CREATE TYPE mood AS ENUM ('sad', 'so so', 'it''s "fine"');
		CREATE DOMAIN price AS numeric(12,4) CHECK (VALUE >= 0);
		CREATE DOMAIN reduced AS price;
		CREATE TYPE pair AS (a int, b text);
		CREATE TABLE plain (id bigint PRIMARY KEY, b bool, i2 smallint, i4 int, i8 bigint, o oid,
			f4 real, f8 double precision, n numeric, n10 numeric(10,3), n38 numeric(38,20),
			n60 numeric(60,30), price price, reduced reduced, m money);
		CREATE TABLE texts (id int PRIMARY KEY, c char(5), vc varchar(10), t text, n name, bin bytea,
			u uuid, j json, jb jsonb, mood mood, x xml);
		CREATE TABLE times (id int PRIMARY KEY, d date, ts timestamp, tz timestamptz, ts0 timestamp(0),
			t time, ttz timetz, iv interval);
		CREATE TABLE others (id int PRIMARY KEY, ip inet, net cidr, mac macaddr, bits bit(5), vbits varbit,
			pt point, bx box, rng int4range, tsr tstzrange, ia int[], ta text[], ma mood[], ba bytea[],
			p pair, tv tsvector, lsn pg_lsn);
		CREATE TABLE keys (a int, b text, c uuid, d date, e bool, f varchar(20), g timestamptz, v int,
			PRIMARY KEY (c, a, b, d, e, f, g));
		SQL
	  . join('', map { "CREATE TABLE $_->[0] (id int PRIMARY KEY, v $_->[1]);\n" } @unfit),
	tables => [ qw(plain texts times others keys), map { $_->[0] } @unfit ],
	settings => ['flush_interval=0']);

query($node, <<~'SQL');
	INSERT INTO plain VALUES
		(-9223372036854775808, false, -32768, -2147483648, -9223372036854775808, 0,
			-3.4028233e38, -1.7976931348623157e308, -1e100, -9999999.999,
			-999999999999999999.99999999999999999999, -123456789012345678901234567890.123456789, 0, 0, '-$1.00'),
		(9223372036854775807, true, 32767, 2147483647, 9223372036854775807, 4294967295,
			3.4028233e38, 1.7976931348623157e308, 1e-100, 9999999.999,
			999999999999999999.99999999999999999999, 123456789012345678901234567890.123456789, 99999999.9999,
			1.5, '$92,233,720,368,547,758.07'),
		(0, NULL, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL),
		(1, true, 1, 1, 1, 1, 1.17549e-38, 2.2250738585072014e-308, 0.1, 0.001, 1e-20, 1e-30, 0.0001, 0.1, '0'),
		(2, true, -1, -1, -1, 1, 0.1, 0.1, 100, 100, 1e17, 100.5, 3.14, 2, '1'),
		(3, true, -1, -1, -1, 1, 16777216, 9007199254740993, 1.10, 1.1, 1.1, 1.1, 1, 1, '1'),
		(4, true, -1, -1, -1, 1, 1e10, 123456789.123456789, 12345678901234567890123456789012345678901234567890.5,
			1, 1, 1, 1, 1, '1');
	INSERT INTO plain (id) VALUES (10);
	INSERT INTO texts VALUES
		(1, 'abc', 'x', E'quotes "double" \'single\' and \\ backslash / slash', 'a name', '\x',
			'00000000-0000-0000-0000-000000000000', '{}', '{}', 'sad', '<a/>'),
		(2, '', '', '', '', '\x00ff10', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '[]', '[]', 'so so', '<a b="c">d</a>'),
		(3, 'ü', U&'\+01F600\+01F600\+01F600\+01F600\+01F600\+01F600\+01F600\+01F600\+01F600\+01F600',
			E'new\nline, tab\t, return\r, bell\x07, del\x7f, bs\b, ff\f, vt\x0b, esc\x1b, one\x01, 1f\x1f', 'x',
			decode(repeat('00ff', 5000), 'hex'),
			gen_random_uuid(), '{"a": [1, 2.5, -3e10, true, null, "x\"y\\z\/\n\u00e9"]}',
			'{"b": {"c": [{}, [], ""]}, "a": 12345678901234567890}', 'it''s "fine"', NULL),
		(4, '   x ', '  y  ',
			U&'\+01F600 4 bytes, \00E9 2 bytes, \20AC 3 bytes, \FFFD, \2028 and \2029, \FEFF bom', 'ÄÖÜ', '\x5c78',
			gen_random_uuid(), '  {"white" :
			"space"}  ', '"text"', 'sad', '<ä>&amp;</ä>'),
		(5, NULL, NULL, repeat('x', 1048576), NULL, NULL, NULL, '123', '-0.5', NULL, NULL),
		(6, 'null', 'null', 'null', 'null', NULL, NULL, '"null"', 'true', NULL, NULL),
		(7, '\N', '\N', '\N', '\N', NULL, NULL, '""', 'false', NULL, NULL),
		(8, NULL, NULL, '{"__op":1},{"id":9}', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
	INSERT INTO texts (id) VALUES (10);
	INSERT INTO texts (id, t) SELECT 100 + i, repeat('0123456789', i / 10) || repeat('"', i % 37) || chr(1 + i % 31)
		FROM generate_series(1, 300) i;
	SET timezone = 'America/New_York';
	SET datestyle = 'SQL, DMY';
	SET intervalstyle = 'sql_standard';
	INSERT INTO times VALUES
		(1, '2024-02-29', '2024-02-29 23:59:59.999999', '2024-07-01 12:00:00.000001', '2024-01-01 00:00:00',
			'23:59:59.999999', '12:00:00+05:30', '1 year 2 mons 3 days 04:05:06.789'),
		(2, '0001-01-01', '0001-01-01 00:00:00', '0002-01-01 00:00:00+00', '0001-01-01', '00:00', '00:00-12', '0'),
		(3, '9999-12-31', '9999-12-31 23:59:59.999999', '9999-12-31 23:59:59.999999+00', '9999-12-31 00:00:00',
			'24:00:00', '24:00:00+00', '-178000000 years'),
		(4, '1969-12-31', '1970-01-01 00:00:00.1', '2024-03-10 02:30:00+00', '2024-01-01 12:34:56.7', '12:34:56.7',
			'12:34:56.7+02', '-1 days -00:00:00.000001');
	INSERT INTO times (id) VALUES (10);
	RESET timezone; RESET datestyle; RESET intervalstyle;
	INSERT INTO others VALUES
		(1, '192.168.0.1/24', '10.0.0.0/8', '08:00:2b:01:02:03', B'10101', B'1', '(1.5,-2)', '(1,1),(0,0)', '[1,10)',
			'[2024-01-01 00:00+00,)', '{1,2,NULL,-4}', '{"a,b","c\"d",NULL,"","{}"}', '{sad,"it''s \"fine\""}',
			ARRAY['\x00ff'::bytea], ROW(1, 'x "y", (z)'), to_tsvector('english', 'a fat cat''s'), '16/B374D848'),
		(2, '::1', '::/0', 'ff:ff:ff:ff:ff:ff', B'00000', B'', '(0,0)', '(1,1),(1,1)', 'empty', 'empty', '{}', '{}',
			'{}', '{}', ROW(NULL, NULL), '', '0/0'),
		(3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '(,)', NULL, '{{1,2},{3,4}}', '[2:3]={x,y}',
			NULL, NULL, NULL, NULL, NULL);
	INSERT INTO keys SELECT i % 3, 'key "' || i || E'"\\', md5(i::text)::uuid, date '2024-01-01' + i, i % 2 = 0,
		'f' || i, '2024-01-01 00:00+00'::timestamptz + i * interval '1.000001 s', i FROM generate_series(1, 50) i;
	UPDATE keys SET b = b || 'x', v = -v WHERE v % 3 = 0;
	UPDATE keys SET v = v * 2 WHERE v > 0;
	DELETE FROM keys WHERE v % 5 = 0;
	SQL

same_rows($node, $target, qw(plain keys));
same_rows($node, $target, qw(texts));
same_rows($node, $target, qw(times others));
is(stopped_tables($node), '', 'no table has stopped');

# Compare text itself as well, without the canonical forms of the comparison.
is($target->sql('SELECT n, n60, reduced FROM plain WHERE id = 4', 'shop'),
	"12345678901234567890123456789012345678901234567890.5|1.000000000000000000000000000000|1.0000",
	'numbers beyond DECIMAL are exact');
is($target->sql('SELECT t IS NULL, length(t), vc IS NULL FROM texts WHERE id IN (2, 10) ORDER BY id', 'shop'),
	"0|0|0\n1||1", 'an empty string is not NULL');
is($target->sql('SELECT tz FROM times WHERE id = 1', 'shop'), '2024-07-01 16:00:00.000001',
	'time zones are gone: it is UTC');

query($node, 'UPDATE plain SET i4 = NULL, n = n + 1, f8 = -f8;
	UPDATE texts SET bin = NULL, jb = jb;
	DELETE FROM times WHERE id < 3');
same_rows($node, $target, qw(plain texts times));

# ---- what does not fit ---------------------------------------------------------

for my $unfit (@unfit)
{
	my ($table, $type, $value) = @$unfit;
	query($node, "INSERT INTO $table VALUES (1, NULL), (2, $value)");
	like(wait_for_stop($node, $table), qr/"v".*public\.$table|public\.$table.*"v"/s,
		"$type $value stops the table, and the message names the column");
}

# What the target refuses: longer than its STRING.
query($node, q(INSERT INTO texts (id, t) VALUES (1000, repeat('x', 1048577))));
like(wait_for_stop($node, 'texts'), qr/'t'/, 'a value that is too long for the target');
same_rows($node, $target, qw(plain times others keys));

$node->stop;
done_testing();
