//! A lenient reader of PST and OST files (MS-PST).
