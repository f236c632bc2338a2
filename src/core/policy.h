/*
 * policy.h
 *		What becomes of a value that the target cannot hold.
 */
#ifndef DBMAZZ_POLICY_H
#define DBMAZZ_POLICY_H

typedef enum DbmazzUnrepresentable
{
	DBMAZZ_UNREPRESENTABLE_ERROR = 0,	/* the table stops */
	DBMAZZ_UNREPRESENTABLE_NULL,	/* NULL, where the column allows it */
	DBMAZZ_UNREPRESENTABLE_CLAMP	/* the nearest value that it can hold */
} DbmazzUnrepresentable;

#endif							/* DBMAZZ_POLICY_H */
