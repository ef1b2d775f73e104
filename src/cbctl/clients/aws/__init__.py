"""Services of AWS, by boto3: no other program is needed."""
