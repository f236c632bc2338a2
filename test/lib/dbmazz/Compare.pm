# Compare.pm - is every row of a table in the target, and nothing else?
#
#   use dbmazz::Compare;
#   rows_equal($node, 'postgres', 'public.orders', $sandbox, 'shop.orders');
#
# Both sides are written as lines of JSON with the target's columns in the
# target's order, and sorted by the key.  Lines that are equal as text are equal;
# for the others each value is brought to a canonical form by its type, so that
# 1e+20 is 1e20, and 1.50 in a DECIMAL(10,3) is 1.500.  On a mismatch the first
# ten differences are shown.
#
# A source "ONLY parent" is a table without those that inherit from it.  Columns
# that only the target has (audit columns) are not compared.

package dbmazz::Compare;

use strict;
use warnings;

use Exporter 'import';
use JSON::PP;
use Test::More;

our @EXPORT = qw(rows_equal row_differences source_rows);

my $shown = 10;
my $json = JSON::PP->new->canonical->allow_nonref->allow_bignum;

# What a test says in its last line; options: key => [column, ...],
# columns => [column, ...] (of the source; default all), name => '...'.
sub rows_equal
{
	my ($node, $database, $table, $sandbox, $target, %options) = @_;
	my ($count, @different) =
	  row_differences($node, $database, $table, $sandbox, $target, %options);
	my $name = $options{name} // "$table equals $target in the target";

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(!@different, "$name ($count rows)");
	if (@different)
	{
		diag(scalar(@different) . ' rows differ, of them:');
		diag($_) for grep { defined } @different[ 0 .. $shown - 1 ];
	}
	return !@different;
}

# (number of rows in the source, texts that each describe a row that differs)
sub row_differences
{
	my ($node, $database, $table, $sandbox, $target, %options) = @_;
	my ($target_database, $target_table) = split /\./, $target, 2;
	my $have = $sandbox->rows($target_database, $target_table);
	my $columns = _columns($node, $database, $table, $options{columns});
	my @key = $options{key} ? @{ $options{key} } : map { $_->{name} } grep { $_->{key} } @$columns;
	die "$table has no primary key: say key => [...]" unless @key;
	$columns = _in_target_order($columns, $have->[0]) if @$have;
	my $want = source_rows($node, $database, $table, $columns, \@key);

	# The usual case, and fast: the same text line by line.
	my @left = grep { ($want->[$_] // '') ne ($have->[$_] // '') }
	  0 .. ($#$want > $#$have ? $#$want : $#$have);
	return scalar @$want unless @left;

	# The rest by key, for an offence in the one place may shift all others.
	my %kind = map { $_->{name} => $_->{kind} } @$columns;
	my (%source, %sink);
	_by_key(\%source, $_, \@key, \%kind) for grep { defined } @$want[@left];
	_by_key(\%sink, $_, \@key, \%kind) for grep { defined } @$have[@left];
	my @different;
	for my $key (sort keys %source)
	{
		my $row = delete $sink{$key};
		if (!$row)
		{
			push @different, "only in the source: $key";
			next;
		}
		for my $name (map { $_->{name} } @$columns)
		{
			my ($is, $should) = map { $json->encode($_) } $row->{$name}, $source{$key}{$name};
			push @different, "$key: $name is " . _short($is) . ' instead of ' . _short($should)
			  if $is ne $should;
		}
	}
	push @different, "only in the target: $_" for sort keys %sink;
	return (scalar @$want, @different);
}

# The table's rows as lines of JSON, in the order of the key.
sub source_rows
{
	my ($node, $database, $table, $columns, $key) = @_;
	$columns //= _columns($node, $database, $table);
	$key //= [ map { $_->{name} } grep { $_->{key} } @$columns ];
	my %kind = map { $_->{name} => $_->{kind} } @$columns;
	my $list = join ', ', map { _expression($_) . ' AS ' . _quote($_->{name}) } @$columns;
	my $order = join ', ',
	  map { 't.' . _quote($_) . ($kind{$_} =~ /^(text|bpchar)$/ ? ' COLLATE "C"' : '') } @$key;
	my $text = $node->safe_psql($database, <<~"SQL");
		SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';
		SET extra_float_digits = 1; SET bytea_output = 'hex';
		SELECT (SELECT row_to_json(dbmazz_row) FROM (SELECT $list) dbmazz_row)
		FROM $table t ORDER BY $order
		SQL
	return [ split /\n/, $text ];
}

# Name, kind (how to write and compare it) and role of each column.
sub _columns
{
	my ($node, $database, $table, $only) = @_;
	(my $relation = $table) =~ s/^ONLY //;
	$relation =~ s/'/''/g;
	my $rows = $node->safe_psql($database, <<~"SQL");
		SELECT json_build_object('name', attname, 'type', base, 'key', is_key) FROM (
			SELECT a.attnum, a.attname,
				CASE WHEN t.typelem <> 0 AND t.typcategory = 'A' THEN 'array'
					WHEN t.typtype = 'd' THEN (SELECT typname FROM pg_type WHERE oid = t.typbasetype)
					ELSE t.typname END AS base,
				coalesce(a.attnum = ANY (i.indkey), false) AS is_key
			FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
				LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
			WHERE a.attrelid = '$relation'::regclass AND a.attnum > 0 AND NOT a.attisdropped) c
		ORDER BY attnum
		SQL
	my @columns = map { $json->decode($_) } split /\n/, $rows;
	# names are bytes here, and shall go to psql as such
	utf8::downgrade($_->{name}) for @columns;
	if ($only)
	{
		my %wanted = map { $_ => 1 } @$only;
		@columns = grep { $wanted{ $_->{name} } } @columns;
	}
	$_->{kind} = _kind($_->{type}) for @columns;
	return \@columns;
}

sub _kind
{
	my ($type) = @_;
	my %kinds = (
		bool => 'bool',
		int2 => 'int', int4 => 'int', int8 => 'int', oid => 'int',
		float4 => 'float', float8 => 'float',
		numeric => 'numeric', money => 'text',
		timestamp => 'timestamp', timestamptz => 'timestamptz',
		bytea => 'bytea', json => 'json', jsonb => 'json',
		bpchar => 'bpchar', text => 'text', varchar => 'text', name => 'text',
		array => 'array');
	return $kinds{$type} // 'other';
}

# A column as the sandbox would write it.
sub _expression
{
	my ($column) = @_;
	my $name = 't.' . _quote($column->{name});
	# what the type's output function makes of it: a cast to text may differ
	my $text = "CASE WHEN num_nulls($name) = 0 THEN format('%s', $name) END";
	my %forms = (
		bool => $name, int => $name, float => $name, array => $text, other => $text,
		timestamp => "to_char($name, 'YYYY-MM-DD HH24:MI:SS.US')",
		timestamptz => "to_char($name AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
		bytea => "encode($name, 'hex')");
	return $forms{ $column->{kind} } // "$name\::text";
}

sub _quote
{
	my ($name) = @_;
	$name =~ s/"/""/g;
	return qq("$name");
}

# The source's columns as the target has them (keys come first there).
sub _in_target_order
{
	my ($columns, $line) = @_;
	my %of = map { $_->{name} => $_ } @$columns;
	my %place;
	while ($line =~ /[{,]"((?:[^"\\]|\\.)*)":/g)
	{
		# a text inside of a value may look like a name; the first one counts
		$place{$1} //= pos $line;
	}
	return [ sort { ($place{ $a->{name} } // 1e9) <=> ($place{ $b->{name} } // 1e9) } @$columns ];
}

# A row, decoded and canonical, under its key.
sub _by_key
{
	my ($rows, $line, $key, $kind) = @_;
	my $row = $json->decode($line);
	$row->{$_} = _canonical($row->{$_}, $kind->{$_} // 'other') for keys %$row;
	my $name = join ', ', map { "$_=" . $json->encode($row->{$_}) } @$key;
	$name .= ' (twice)' if $rows->{$name};
	$rows->{$name} = $row;
	return;
}

sub _canonical
{
	my ($value, $kind) = @_;
	return $value unless defined $value;
	if ($kind eq 'bool')
	{
		return $value && "$value" ne 'f' && "$value" ne 'false' ? 'true' : 'false';
	}
	if ($kind eq 'float')
	{
		return "$value" =~ /^-?(nan|inf)/i ? lc "$value" : sprintf '%.15g', "$value";
	}
	if ($kind eq 'numeric')
	{
		$value = "$value";
		$value =~ s/0+$// if $value =~ /\.\d+$/;
		$value =~ s/\.$//;
		return $value eq '-0' ? '0' : $value;
	}
	if ($kind eq 'bpchar')
	{
		$value =~ s/ +$//;
		return $value;
	}
	if ($kind eq 'json')
	{
		my $decoded = ref $value ? $value : eval { $json->decode($value) };
		return defined $decoded ? $json->encode($decoded) : "$value";
	}
	return "$value";
}

sub _short
{
	my ($text) = @_;
	return length $text > 120 ? substr($text, 0, 100) . '... (' . length($text) . ' bytes)' : $text;
}

1;
