-- What the billing system of the sample keeps: plain SQL, as in production.
insert into currencies (code, name, rate) values
  ('USD', 'US dollar', 1), ('EUR', 'Euro', 0.92), ('GBP', 'Pound sterling', 0.79), ('JPY', 'Yen', 151.4);
insert into customers (id, name, currency, balance) values
  (101, 'Harbour Hotel', 'EUR', 250),
  (102, 'Northwind Trading', 'GBP', 80),
  (103, 'Old Mill Brewery', 'USD', 12.5),
  (104, 'Kobe Imports', 'JPY', 30000);
insert into taxes (id, name, rate, flat) values
  (1, 'VAT', 20, 0), (2, 'City levy', 0, 0.05), (3, 'Sales tax', 8.25, 0);
insert into peers (id, name) values (1, 'carrier-a'), (2, 'carrier-b');
insert into invoices (id, customer, currency, period_start, period_end, status) values
  (9001, 101, 'EUR', now() - interval '20 days', now() + interval '10 days', 'open'),
  (9002, 102, 'GBP', now() - interval '60 days', now() - interval '30 days', 'closed'),
  (9003, 102, 'USD', now() - interval '20 days', now() + interval '10 days', 'open');
insert into customer_keys (kind, key, customer) values ('account', 'harbour', 101);
